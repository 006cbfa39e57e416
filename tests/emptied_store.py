"""One store for the tests of a file, emptied after each: making the tables costs more than most of the tests."""

from collections.abc import Iterator

import pytest

from pipeline.store.client import STORE_DIRECTORY, Client, connect
from pipeline.store.content import set_segments
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with connect(tmp_path_factory.mktemp("store") / STORE_DIRECTORY) as opened:
        migrate(opened)
        yield opened


@pytest.fixture
def client(store: Client) -> Iterator[Client]:
    yield store
    for (name,) in store.query("SELECT name FROM system.tables WHERE name LIKE '%\\_rows' ORDER BY name"):
        store.command(f"TRUNCATE TABLE {name}")
    set_segments(store, {})


@pytest.fixture
def sink(client: Client) -> Sink:
    return Sink(client)
