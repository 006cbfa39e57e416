"""What the store costs on many rows: ``python -m bench.store`` prints a table of figures in Markdown.

Synthetic rows are made in SQL: sessions and hits of 20 sites over a year, inserted a month at a time as
live traffic would leave them (several parts, some rows twice). Queries go through the views. Times are the
best of three, ms; "rows read" is what the primary index leaves to read. What inserts take: :mod:`bench.sink`.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from pipeline.store.client import Client, connect
from pipeline.store.migrations import migrate

SITES = 20
MONTHS = 12
YEAR_START = "2025-01-01"

QUERIES = [
    ("sessions of one site and day", "sessions",
     "SELECT count(), avg(bounced) FROM sessions "
     "WHERE site = 'site-7' AND start_time >= '2025-06-15' AND start_time < '2025-06-16'"),
    ("sessions of all sites, one day", "sessions",
     "SELECT site, count() FROM sessions "
     "WHERE start_time >= '2025-06-15' AND start_time < '2025-06-16' GROUP BY site"),
    ("sessions of one site, one month, by channel", "sessions",
     "SELECT channel, count(), avg(bounced) FROM sessions "
     "WHERE site = 'site-7' AND start_time >= '2025-06-01' AND start_time < '2025-07-01' GROUP BY channel"),
    ("all sessions, by channel", "sessions",
     "SELECT channel, count(), avg(bounced) FROM sessions GROUP BY channel"),
    ("hits of one site and hour", "hits",
     "SELECT event, count() FROM hits "
     "WHERE site = 'site-7' AND event_time >= '2025-06-15 10:00:00' AND event_time < '2025-06-15 11:00:00' "
     "GROUP BY event"),
]  # fmt: skip


@click.command()
@click.option("--rows", default=10_000_000, show_default=True, help="Sessions; as many hits are made.")
def main(rows: int) -> None:
    """Fill a store in a temporary directory, measure, print."""
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory) / "store") as client:
        migrate(client)
        _fill(client, rows)
        click.echo(f"{rows:,} sessions and {rows:,} hits of {SITES} sites over {MONTHS} months.\n")
        _print_sizes(client)
        _print_queries(client)


def _fill(client: Client, rows: int) -> None:
    per_month = rows // MONTHS
    month_ms = 28 * 86_400_000
    for month in range(MONTHS):
        common = f"""
            'site-' || toString(cityHash64(number) % {SITES}) AS site,
            toDateTime64('{YEAR_START}', 3, 'UTC') + INTERVAL {month} MONTH
                + toIntervalMillisecond(intDiv(number * {month_ms}, {per_month})) AS at,
            lower(hex(MD5(toString(number + {month * per_month})))) AS id,
            ['direct', 'email', 'organic_search', 'paid_search', 'referral'][1 + number % 5] AS channel,
            '/products/' || toString(cityHash64(number, 1) % 10000) AS url
        """
        client.command(f"""
            INSERT INTO sessions_rows
            (
                site, start_time, end_time, session_id, visitor_id, person_id, hits, page_views,
                entry_url, exit_url, channel, device, browser, os, country, bounced, closed, version
            )
            SELECT
                site, at, at + INTERVAL 3 MINUTE, id, substring(id, 1, 16), substring(id, 1, 16), 3, 3,
                url, url, channel, 'desktop', 'Firefox', 'Linux', 'DE', number % 2, 1, 1
            FROM (SELECT number, {common} FROM numbers({per_month}))
        """)
        client.command(f"""
            INSERT INTO hits_rows
            (
                site, event_time, received_time, hit_id, event, visitor_id, person_id, url, referrer, title,
                channel, device, browser, os, country, outcome, session_id, source_partition, source_offset
            )
            SELECT
                site, at, at, id, 'page_view', substring(id, 1, 16), substring(id, 1, 16),
                url, url, 'A product', channel,
                'desktop', 'Firefox', 'Linux', 'DE', 'sessionized', id, number % 4, number
            FROM (SELECT number, {common} FROM numbers({per_month}))
        """)
    # A late version of every hundredth session, as corrections leave it.
    client.command("""
        INSERT INTO sessions_rows
        SELECT * REPLACE (hits + 1 AS hits, 2 AS version)
        FROM sessions_rows
        WHERE cityHash64(session_id) % 100 = 0
    """)


def _print_sizes(client: Client) -> None:
    click.echo("| table | rows | parts | bytes per row on disk |\n|---|---:|---:|---:|")
    for table, stored, parts, size in client.query(
        "SELECT table, sum(rows), count(), sum(bytes_on_disk) FROM system.parts "
        "WHERE active AND table IN ('hits_rows', 'sessions_rows') GROUP BY table ORDER BY table"
    ):
        click.echo(f"| `{table}` | {stored:,} | {parts} | {size / stored:.0f} |")


def _print_queries(client: Client) -> None:
    click.echo("\n| query through the view | rows read | share | ms |\n|---|---:|---:|---:|")
    for what, view, query in QUERIES:
        ((total,),) = client.query(f"SELECT count() FROM {view}_rows")
        estimates = client.query(f"EXPLAIN ESTIMATE {query}")
        read = sum(row[3] for row in estimates if row[1] == f"{view}_rows")
        took_ms = min(_seconds(partial(client.query, query)) for _ in range(3)) * 1000
        click.echo(f"| {what} | {read:,} | {read / total:.3%} | {took_ms:.0f} |")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
