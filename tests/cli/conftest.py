"""Where commands start."""

from pathlib import Path

import pytest


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working directory where nothing is, and no settings."""
    for name in ("MASIR_CONFIG", "MASIR_DATA", "MASIR_PARTITIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
