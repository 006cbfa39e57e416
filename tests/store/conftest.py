"""Stores for the tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.client import STORE_DIRECTORY, Client, connect
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with tables and views that nobody holds. To copy it costs a third of making one."""
    directory = tmp_path_factory.mktemp("migrated") / STORE_DIRECTORY
    with connect(directory) as opened:
        migrate(opened)
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory without a store."""
    return tmp_path / "data"


@pytest.fixture
def client(data: Path, migrated: Path) -> Iterator[Client]:
    """A store with tables and views, in ``data``; closed at the end, since a process holds one at a time."""
    shutil.copytree(migrated, data / STORE_DIRECTORY, symlinks=True)
    with connect(data / STORE_DIRECTORY) as opened:
        yield opened


@pytest.fixture
def sink(client: Client) -> Sink:
    return Sink(client)
