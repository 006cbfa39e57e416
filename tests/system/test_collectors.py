"""Several collectors on one port, a registry that changes, a topic that is locked: ``masir run`` as a whole."""

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from bench.running import Running, wait_for

from .kit import hit, now_ms
from .kit import post as post_hits


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(running: Running) -> list[int]:
    """The collectors that ``masir run`` has started."""
    found = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def post(running: Running, visitor: str) -> int:
    """One hit over a connection of its own, so that the kernel chooses who takes it."""
    with closing(HTTPConnection(urlsplit(running.url).netloc, timeout=30)) as connection:
        connection.request("POST", "/v1/hits", hit(visitor, now_ms(), hit_id=visitor))
        return connection.getresponse().status


def counted(address: str) -> dict[str, float]:
    with urlopen(f"http://{address}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}


@pytest.fixture
def several(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    address = f"127.0.0.1:{free_port()}"
    with Running(tmp_path / "data", collectors=3, metrics_listen=address, spool_bytes=10_000_000) as running:
        wait_for(lambda: len(children(running)) == 2, "two more collectors")
        yield running, address


def test_three_collectors_take_hits_on_one_port_and_one_of_them_dies(several: tuple[Running, str]) -> None:
    running, address = several
    taken = [f"v{number}" for number in range(60) if post(running, f"v{number}") == 200]
    assert len(taken) == 60
    shown = lambda: counted(address)['masir_collector_hits_total{outcome="taken"}']  # noqa: E731
    wait_for(lambda: shown() == 60, "what all have counted is shown")
    first, second = children(running)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(new := children(running)) == 2 and first not in new, "it is started again")
    assert second in children(running)
    taken += [f"w{number}" for number in range(60) if post(running, f"w{number}") == 200]
    assert len(taken) == 120
    running.wait_for_value("SELECT uniqExact(hit_id) FROM hits", 120)
    wait_for(lambda: shown() == 120, "what the one that died had counted stays")
    orphans = children(running)
    running.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), "nobody is left behind")


def test_hits_wait_in_the_spool_while_the_topic_is_locked(several: tuple[Running, str]) -> None:
    running, _ = several
    with closing(sqlite3.connect(running.data / "masir.db", isolation_level=None, timeout=30)) as db:
        db.execute("begin immediate")  # the first process waits for it, the others have their spool
        statuses = [post_to_child(running, f"v{number}") for number in range(8)]
        assert statuses.count(200) >= 1
        assert set(statuses) <= {200, None}
        db.execute("rollback")
    wait_for(lambda: running.value("SELECT count() FROM hits") >= statuses.count(200), "they have followed")


def post_to_child(running: Running, visitor: str) -> int | None:
    """None when the kernel gave it to the process that waits."""
    with closing(HTTPConnection(urlsplit(running.url).netloc, timeout=3)) as connection:
        try:
            connection.request("POST", "/v1/hits", hit(visitor, now_ms(), hit_id=visitor))
            return connection.getresponse().status
        except TimeoutError:
            return None


def test_a_changed_registry_holds_without_a_restart(tmp_path: Path) -> None:
    registry = tmp_path / "sites.toml"
    registry.write_text("[blog]\n")
    with Running(tmp_path / "data", sites=registry) as running:
        refused = post_hits(running, hit("v1", now_ms()))
        assert [one["reason"] for one in refused["refused"]] == ["unknown_site"]
        registry.write_text("[blog]\n[shop]\n")
        wait_for(lambda: post_hits(running, hit("v1", now_ms(), hit_id="h1"))["accepted"] == 1, "it holds")
        running.wait_for_value("SELECT count() FROM hits", 1)
        assert (
            counted(urlsplit(running.url).netloc)['masir_collector_denied_total{reason="unknown_site"}'] >= 1
        )
