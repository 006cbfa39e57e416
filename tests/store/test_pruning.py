"""Queries of one site and a day read the granules of that day only, through the views."""

import re

import pytest

from pipeline.store.client import Client

ROWS = 400_000  # 48 granules and more
DAY = "site = 'shop' AND {time} >= '2026-02-03' AND {time} < '2026-02-04'"


@pytest.fixture
def filled(client: Client) -> Client:
    """40 days of two sites, evenly."""
    step = 40 * 86_400_000 // ROWS
    site = "if(number % 2 = 0, 'shop', 'blog')"
    time = f"fromUnixTimestamp64Milli(toInt64(1767225600000 + number * {step}), 'UTC')"
    columns = f"SELECT {site}, {time}, number, toString(number) FROM numbers({ROWS})"
    client.command(f"INSERT INTO sessions_rows (site, start_time, version, session_id) {columns}")
    client.command(f"INSERT INTO hits_rows (site, event_time, source_offset, session_id) {columns}")
    return client


@pytest.mark.parametrize(("view", "time"), [("sessions", "start_time"), ("hits", "event_time")])
def test_a_day_of_a_site_is_no_full_scan(filled: Client, view: str, time: str) -> None:
    query = f"SELECT count() FROM {view} WHERE {DAY.format(time=time)}"
    plan = "\n".join(row[0] for row in filled.query(f"EXPLAIN indexes = 1 {query}"))
    of_table = plan[plan.index(f"{view}_rows") :]
    primary = of_table[of_table.index("PrimaryKey") :]
    read, of = map(int, re.search(r"Granules: (\d+)/(\d+)", primary).groups())  # type: ignore[union-attr]
    assert re.search(r"Parts: 1/2", of_table), "the partition of the other month is left out"
    assert read <= 3 < of
    assert filled.query(query) == [(ROWS // 80,)]
