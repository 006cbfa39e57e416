"""No query of rows fails on a store that has none. A file of its own: a process can have one store at a time."""

from collections.abc import Iterator

import pytest

from pipeline.store.client import STORE_DIRECTORY, Client, connect, rows
from pipeline.store.migrations import migrate
from watching.grafana import Query, queries, sql_of

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Tables and views, nothing in them."""
    with connect(tmp_path_factory.mktemp("empty") / STORE_DIRECTORY) as client:
        migrate(client)
        yield client


@pytest.mark.parametrize("query", [query for query in queries() if query.is_sql], ids=str)
def test_a_query_does_not_fail_on_an_empty_store(empty: Client, query: Query) -> None:
    assert rows(empty, sql_of(query, 1_790_812_800_000, 1_790_812_800_000 + HOUR_MS)) == []
