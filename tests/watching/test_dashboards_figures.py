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


def test_how_long_is_asked_of_signs_raised_in_the_time_chosen(client: Client, sink: Sink) -> None:
    (query,) = (query for query in queries() if "median_until_cleared" in str(query.target))
    steps = [
        ("before", "raised", -9 * DAY, 0), ("before", "cleared", DAY, 1), ("before", "raised", DAY, 2),
        ("before", "cleared", 3 * DAY, 3), ("after", "raised", DAY, 0), ("after", "cleared", 9 * DAY, 1),
        ("still", "raised", DAY, 0),
    ]  # fmt: skip
    client.command(
        "INSERT INTO signals_rows (site, person_id, reason, score, state, time, evidence, ordinal, version) VALUES "
        + ", ".join(
            f"('shop', '{who}', '{reason}', 0.1, '{state}', fromUnixTimestamp64Milli({DAY_0 + at}), '', {ordinal}, 1)"
            for reason in ("support", "payment")
            for who, state, at, ordinal in steps
            if reason == "support" or who == "still"
        )
    )
    found = rows(client, sql_of(query, DAY_0, DAY_0 + 2 * DAY))
    day = DAY // 1_000
    assert [tuple(row.values()) for row in found] == [("support", 3, 2, 8 * day), ("payment", 1, 0, None)]
