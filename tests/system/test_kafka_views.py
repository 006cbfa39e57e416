"""The same hits over Kafka and a ClickHouse server, and over SQLite and the embedded engine: the same views, whatever
the order, however bad the hits; and real data.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.clickhouse import ClickHouse
from bench.cluster import Cluster
from bench.faults import SETTINGS, settle, shop_hits
from bench.kafka_fill import fill
from bench.running import Running, export, wait_for, without_duplicates
from bench.senders import Connection, sending
from pipeline.settings import load
from pipeline.sources import read_hits, read_options

from .bad_hits import BAD
from .kafka_kit import PARTITIONS
from .kit import BUNDLED, DATA, differing, gauge, masir, now_ms, pairs_and_ties, post, verify

HITS = 1_500
YEAR: dict[str, object] = {"allowed_lateness_seconds": 366 * 86_400, "dedupe_hours": 366 * 24}
DAY_MS = 86_400_000
OLDEST_FIRST = (  # recorded in 1995, 2007, 2019
    (DATA / "nasa_19950801.tsv.gz", "nasa.toml"),
    (BUNDLED / "wikipedia_sessions.csv.gz", "wikipedia.toml"),
    (DATA / "ecom.csv.gz", "ecom.toml"),
)
HITS_NOT_IN_CLOSED_SESSIONS = """
    SELECT (SELECT sum(hits) FROM ledger WHERE outcome = 'sessionized' AND site != 'clock')
        - (SELECT sumIf(hits, closed) FROM sessions WHERE site != 'clock')
"""
_TIME = re.compile(rb',?"received_time":\d+')
pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouse]:
    with ClickHouse(tmp_path / "clickhouse", password="secret") as started:
        yield started


def _views(running: Running | Cluster, hits: list[bytes], order: list[bytes], store: str) -> dict[str, bytes]:
    for bad in BAD:
        post(running, bad.raw)
    with sending(order, lambda: running.url, connections=4, batch=20) as senders:
        for sender in senders:
            sender.join()
    settle(running, hits)
    return without_duplicates(export(running.data, clickhouse=store))


def _letters(running: Running | Cluster) -> list[tuple[str, ...]]:
    """Without the time of their receipt, which their bytes may have, too."""
    found = running.query("SELECT site, reason, field, message, hex(raw) AS raw FROM dead_letters")
    return sorted(
        (*map(str, list(one.values())[:-1]), _TIME.sub(b"", bytes.fromhex(one["raw"])).hex()) for one in found
    )


def test_in_another_order_and_with_what_cannot_be_read(
    broker: str, server: ClickHouse, tmp_path: Path
) -> None:
    hits = pairs_and_ties() + shop_hits(HITS, seed=11, now_ms=now_ms())
    some_twice = hits + hits[: HITS // 10]
    mixed = random.Random(11).sample(some_twice, k=len(some_twice))
    with Running(tmp_path / "embedded", **SETTINGS) as running:
        expected, letters = _views(running, hits, hits, ""), _letters(running)
    with Cluster(
        tmp_path / "kafka", broker, clickhouse=server.url, partitions=PARTITIONS, **SETTINGS
    ) as cluster:
        found = _views(cluster, hits, mixed, server.url)
        assert _letters(cluster) == letters
        assert len(letters) >= len(BAD)
        del expected["dead_letters"], found["dead_letters"]
        assert differing(expected, found) == {}
        assert verify(cluster.data, clickhouse=server.url)["agrees"]
        assert not (cluster.data / "clickhouse").exists(), "nothing is stored here"
        _letters_are_brought_in(cluster)
        _the_ledger_is_watched_by_one_worker(cluster)
        _other_topics_are_kept_out(cluster)


def _other_topics_are_kept_out(cluster: Cluster) -> None:
    """Made anew under a store that has rows: their names would come again."""
    other = cluster.settings | {"broker_prefix": f"{cluster.prefix}-anew"}
    masir("topics", "--create", settings=other)
    done = masir("worker", "--listen", "127.0.0.1:0", settings=other, code=2)
    assert b"it belongs to other topics" in done.stderr


def _letters_are_brought_in(cluster: Cluster) -> None:
    """Into the workers' topic, from where they go the way of all hits."""
    readable = sum(bad.name == "no site" for bad in BAD)
    arguments = ("--reason", "missing_field", "--set", "site=late", "--set", f"time={now_ms()}", "--json")
    said = json.loads(masir("dlq", "replay", *arguments, settings=cluster.settings).stdout)
    assert said["replayed"] == readable
    cluster.wait_for_value("SELECT count() FROM hits WHERE site = 'late'", readable)
    assert not (cluster.data / "masir.db").exists(), "it was not processed here"
    findings = masir("doctor", settings=cluster.settings, code=None).stdout.decode().splitlines()
    assert (
        sum(
            bool(re.match("ok  (broker|topics|workers|lag|models in force|ledger): ", finding))
            for finding in findings
        )
        == 6
    )


def _the_ledger_is_watched_by_one_worker(cluster: Cluster) -> None:
    def found() -> list[float]:
        said = [gauge(worker, "masir_ledger_difference_hits") for worker in cluster.workers]
        return [difference for difference in said if difference is not None]

    assert wait_for(found, "one says it") == [0]


def test_real_data_has_its_published_figures(broker: str, server: ClickHouse, tmp_path: Path) -> None:
    with Cluster(
        tmp_path / "real", broker, workers=1, clickhouse=server.url, partitions=PARTITIONS, **YEAR
    ) as cluster:
        variables = {f"MASIR_{name.upper()}": str(value) for name, value in cluster.settings.items()}
        sent = 0
        for file, mapping in OLDEST_FIRST:
            hits = read_hits(str(file), read_options(maps=[str(BUNDLED / mapping)]))
            sent += asyncio.run(fill(load(variables), hits))
        cluster.wait_for_value("SELECT sum(hits) FROM ledger", sent)
        cluster.wait_until_drained()  # the newest hit may be a row later than the ledger's
        _let_a_day_pass(cluster)
        cluster.wait_for_value(HITS_NOT_IN_CLOSED_SESSIONS, 0)
        found = cluster.query(
            "SELECT site, count() AS sessions, countIf(bounced) AS bounced, sum(conversions) AS conversions,"
            " round(avg(duration_ms) / 1000, 3) AS mean FROM sessions WHERE site != 'clock' GROUP BY site"
        )
        figures = {one.pop("site"): one for one in found}
        assert {site: one["sessions"] for site, one in figures.items()} == {
            "nasa": 2_989,
            "wiki": 22_224,
            "shop": 3_605,
        }
        assert (figures["wiki"]["bounced"], figures["wiki"]["mean"]) == (13_138, 272.385)
        assert figures["shop"]["conversions"] == 470


def _let_a_day_pass(cluster: Cluster) -> None:
    after_ms = int(cluster.value("SELECT max(toUnixTimestamp64Milli(event_time)) FROM hits")) + DAY_MS
    with closing(Connection(lambda: cluster.url)) as connection:
        connection.post(
            b"\n".join(
                b'{"site":"clock","event":"page_view","visitor_id":"c%d","time":%d}' % (n, after_ms)
                for n in range(40)
            )
        )
