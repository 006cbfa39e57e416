"""Roles that are told to stop while what they need is away: they end soon, without a traceback, and nothing is lost."""

import json
import signal
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from bench.clickhouse import ClickHouse
from bench.cluster import Cluster, Process
from bench.running import wait_for
from tests.kafka_broker import running_brokers

from .kit import hit, now_ms, post

GRACE_SECONDS = 60  # of docker-compose.yml and of the pods
pytestmark = pytest.mark.timeout(600)


def ended(processes: list[Process]) -> list[int]:
    """Told at once; their exit codes."""
    for process in processes:
        process.send(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    return [process.process.wait(deadline - time.monotonic()) for process in processes]


def away(worker: Process) -> bool:
    try:
        urlopen(f"{worker.url}/readyz", timeout=5)
    except HTTPError as error:
        return bool(json.loads(error.read())["away"])
    return False


@pytest.mark.slow
def test_the_store_and_then_the_broker_are_away(tmp_path: Path) -> None:
    with (
        running_brokers(tmp_path / "kafka", 1) as brokers,
        ClickHouse(tmp_path / "store", password="secret") as server,
        Cluster(tmp_path / "data", brokers.address, clickhouse=server.url, partitions=2) as cluster,
    ):
        server.kill()
        try:
            for number in range(8):
                post(cluster, hit(f"v{number}", now_ms(), hit_id=f"h{number}"))
            wait_for(lambda: any(map(away, cluster.workers)), "a worker says that the store is away")
            assert ended(cluster.workers) == [0, 0]
        finally:
            server.start()
        for worker in cluster.workers:
            worker.spawn()
        for worker in cluster.workers:
            worker.wait_until_started()
        cluster.wait_for_value("SELECT count() FROM hits", 8)
        brokers.nodes[0].kill()
        time.sleep(5)  # they have noticed
        assert ended(cluster.processes) == [0, 0, 0]
        assert "Traceback" not in cluster.said
