"""What docker-compose.yml runs, as processes: Kafka, ClickHouse, a collector, two workers that have all hops."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.clickhouse import ClickHouse
from bench.cluster import Process
from bench.faults import CLOCKS, DAY_MS, SITE, hit_id, shop_hits
from bench.running import command, wait_for
from bench.senders import Connection
from pipeline.store.client import STORE_DIRECTORY, Server, connect

from .kit import ROOT, T0, differing, hit, masir, process, write_lines

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PASSWORD = "secret"
STILL_SECONDS = 3.0
WORKERS = COMPOSE["worker"]["deploy"]["replicas"]
LATENESS: dict[str, object] = {"allowed_lateness_seconds": 90 * 86_400, "dedupe_hours": 91 * 24}


@pytest.fixture(scope="module")
def servers(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ClickHouse]]:
    directory = tmp_path_factory.mktemp("servers")
    with ClickHouse(directory / "ch", user="masir", password=PASSWORD) as clickhouse:
        yield broker, clickhouse


@pytest.fixture
def settings(servers: tuple[str, ClickHouse], tmp_path: Path) -> dict[str, object]:
    """Those of docker-compose.yml, with the servers of this test."""
    broker, clickhouse = servers
    theirs = {
        name.removeprefix("MASIR_").lower(): value for name, value in COMPOSE["worker"]["environment"].items()
    }
    return theirs | {
        "broker": f"kafka://{broker}",
        "broker_prefix": f"t{uuid.uuid4().hex[:12]}",
        "clickhouse": f"http://masir@localhost:{clickhouse.port}/masir",
        "clickhouse_password": PASSWORD,
        "data": tmp_path / "nothing",
        "worker_lost_seconds": 6,
        "partitions": WORKERS,  # the fewest with which each has something to do
        **LATENESS,
    }


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("installed")
def test_hits_through_all_of_it_give_the_views_of_one_process(
    settings: dict[str, object], tmp_path: Path
) -> None:
    hits = shop_hits(300, seed=3, now_ms=T0)
    closing_hits = [hit(f"c{n}", T0 + DAY_MS, site="clock", hit_id=f"c{n}") for n in range(CLOCKS)]
    assert command(*COMPOSE["topics"]["command"], settings=settings).returncode == 0
    roles = [COMPOSE["collector"]["command"], *[COMPOSE["worker"]["command"]] * WORKERS]
    processes = [Process(tmp_path / f"{n}.log", settings, *role) for n, role in enumerate(roles)]
    with ExitStack() as stack, connect(Server(str(settings["clickhouse"]), password=PASSWORD)) as store:
        for each in processes:
            each.spawn()
            stack.callback(each.kill)
        for each in processes:
            each.wait_until_started()
        with closing(Connection(lambda: processes[0].url)) as connection:
            for piece in (hits, closing_hits):
                status, answer = connection.post(b"\n".join(piece))
                assert status == 200, answer
                wait_for(lambda: stored(store) >= len(hits), "the shop's hits are stored")
        wait_until_settled(store)
        ids = {row[0] for row in store.query(f"SELECT hit_id FROM hits WHERE site = '{SITE}'")}
        assert ids == set(map(hit_id, hits))
        assert [each.stop() for each in processes] == [0] * len(processes)
        stack.pop_all()
    masir("sql", "--export", tmp_path / "many", settings=settings)
    file = write_lines(tmp_path / "hits.ndjson", [*hits, *closing_hits])
    process(tmp_path / "one-data", file, **LATENESS)
    masir("sql", "--export", tmp_path / "one", "--data", tmp_path / "one-data")
    assert differing(shops(tmp_path / "many"), shops(tmp_path / "one")) == {}
    assert not (tmp_path / "nothing" / STORE_DIRECTORY).exists(), "rows are on the server alone"


def shops(directory: Path) -> dict[str, bytes]:
    """The exported views without the site whose hits only move time: its sessions are still open in a live pipeline."""
    views = {file.stem: file.read_bytes().splitlines(keepends=True) for file in directory.iterdir()}
    return {view: b"".join(line for line in lines if b"clock" not in line) for view, lines in views.items()}


def stored(store: Any) -> int:
    ((count,),) = store.query(f"SELECT count() FROM hits WHERE site = '{SITE}'")
    return int(count)


def wait_until_settled(store: Any) -> None:
    """Until all is as it was some seconds ago: rows of later hops follow those of the sessions."""
    transitions = "(SELECT count() FROM transitions)"
    query = f"SELECT countIf(NOT closed), count(), {transitions} FROM sessions WHERE site = '{SITE}'"
    seen: list[tuple[float, Any]] = []

    def is_settled() -> bool:
        now, found = time.monotonic(), store.query(query)
        if not seen or seen[-1][1] != found:
            seen.append((now, found))
        since, ((still_open, *_),) = seen[-1]
        return bool(still_open == 0 and now - since >= STILL_SECONDS)

    wait_for(is_settled, "every session is closed")
