"""Stores for the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.client import STORE_DIRECTORY, Client, connect
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory without a store."""
    return tmp_path / "data"


@pytest.fixture
def client(data: Path) -> Iterator[Client]:
    """A store with tables and views, in ``data``; closed at the end, since a process holds one at a time."""
    with connect(data / STORE_DIRECTORY) as opened:
        migrate(opened)
        yield opened


@pytest.fixture
def sink(client: Client) -> Sink:
    return Sink(client)
