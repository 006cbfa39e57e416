"""A figure of a dashboard is that of the gauge and of the view of the same name."""

import pytest
from journey.kit import DAY, DAY_0, put, visit

from pipeline.store.client import Client, rows
from pipeline.store.sink import Sink
from tests.emptied_store import client, sink, store
from watching.grafana import Query, queries, sql_of

__all__ = ["client", "sink", "store"]

OF_BOUNCES = [query for query in queries() if query.is_sql and "bounce_ratio" in query.target["rawSql"]]


@pytest.mark.parametrize("query", OF_BOUNCES, ids=str)
def test_a_session_without_a_view_is_not_in_the_bounce_ratio(
    client: Client, sink: Sink, query: Query
) -> None:
    seen = {"referrer": "https://blog.example/", "entry_url": "https://shop.example/"}
    bounce = visit(DAY, "ann", "referral", page_views=1, bounced=True, **seen)
    put(sink, sessions=[bounce, visit(DAY, "bob", "referral", page_views=0, **seen)])
    found = rows(client, sql_of(query, DAY_0, DAY_0 + 2 * DAY))
    assert [row["bounce_ratio"] for row in found] == [1]
