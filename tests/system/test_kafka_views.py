"""The same hits over Kafka and over SQLite: the same views, whatever the order, however bad the hits; real data."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.cluster import Cluster
from bench.faults import SETTINGS, settle, shop_hits
from bench.kafka_job import fill
from bench.running import Running, export, without_duplicates
from bench.senders import Connection, sending
from pipeline.settings import load
from pipeline.sources import read_hits, read_options
from tests.kafka_broker import running_broker

from .bad_hits import BAD
from .kit import BUNDLED, differing, now_ms, post, verify

HITS = 1_500
YEAR: dict[str, object] = {"allowed_lateness_seconds": 366 * 86_400, "dedupe_hours": 366 * 24}
DAY_MS = 86_400_000
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


def _views(running: Running | Cluster, hits: list[bytes], order: list[bytes]) -> dict[str, bytes]:
    for bad in BAD:
        post(running, bad.raw)  # type: ignore[arg-type]
    with sending(order, lambda: running.url, connections=4, batch=20) as senders:
        for sender in senders:
            sender.join()
    settle(running, hits)
    return without_duplicates(export(running.data))


def test_in_another_order_and_with_what_cannot_be_read(broker: str, tmp_path: Path) -> None:
    hits = shop_hits(HITS, seed=11, now_ms=now_ms())
    mixed = random.Random(11).sample(hits + hits[: HITS // 10], k=HITS + HITS // 10)  # some of them twice
    with ExitStack() as stack:
        running = stack.enter_context(Running(tmp_path / "embedded", **SETTINGS))
        expected = _views(running, hits, hits)
    with Cluster(tmp_path / "kafka", broker, **SETTINGS) as cluster:
        found = _views(cluster, hits, mixed)
        letters = [
            views.pop("dead_letters") for views in (expected, found)
        ]  # they keep the time of their receipt
        assert differing(expected, found) == {}
        assert letters[0].count(b"\n") == letters[1].count(b"\n") >= len(BAD)
        assert verify(cluster.data)["agrees"]


def test_readers_of_wikipedia(broker: str, tmp_path: Path) -> None:
    """63,524 real hits of 2,000 and more readers: the published figures."""
    options = read_options(maps=[str(BUNDLED / "wikipedia.toml")])
    hits = list(read_hits(str(BUNDLED / "wikipedia_sessions.csv.gz"), options))
    with Cluster(tmp_path / "wiki", broker, workers=1, **YEAR) as cluster:
        variables = {f"MASIR_{name.upper()}": str(value) for name, value in cluster.settings.items()}
        assert asyncio.run(fill(load(variables), hits)) == 63_524
        cluster.wait_for_value("SELECT sum(hits) FROM ledger", 63_524)
        _let_a_day_pass(cluster)
        cluster.wait_for_value("SELECT countIf(NOT closed) FROM sessions WHERE site != 'clock'", 0)
        (found,) = cluster.query(
            "SELECT count() AS sessions, countIf(bounced) AS bounced, round(avg(duration_ms) / 1000, 3) AS mean"
            " FROM sessions WHERE site != 'clock'"
        )
        assert found == {"sessions": 22_224, "bounced": 13_138, "mean": 272.385}


def _let_a_day_pass(cluster: Cluster) -> None:
    after_ms = int(cluster.value("SELECT max(toUnixTimestamp64Milli(event_time)) FROM hits")) + DAY_MS
    connection = Connection(lambda: cluster.url)
    connection.post(
        b"\n".join(
            b'{"site":"clock","event":"page_view","visitor_id":"c%d","time":%d}' % (n, after_ms)
            for n in range(40)
        )
    )
    connection.close()
