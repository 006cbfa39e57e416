"""Readers turned into lists."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.sources import read_hits, read_options

Reader = Callable[..., list[bytes]]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """``read(content, name="x.csv", maps=..., sets=...)``: the hits of a file with that content."""

    def reader(content: bytes, name: str = "data", **options: Any) -> list[bytes]:
        path = tmp_path / name
        path.write_bytes(content)
        return list(read_hits(str(path), read_options(**options)))

    return reader
