"""``masir tail``, as a process beside a real collector: killed, restarted, rotated; each page view counts once."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.collector.entrance import Entrance
from pipeline.collector.gate import SiteGate
from pipeline.collector.publisher import Record, Unavailable
from pipeline.collector.server import Collector
from pipeline.collector.sites.keys import hash_of, new_key
from pipeline.collector.sites.registry import Registry
from pipeline.collector.sites.site import Site
from pipeline.sources.errors import SourceError
from pipeline.sources.follow import Position
from pipeline.sources.tail import Memory, Tail
from pipeline.transport.log import Log
from schemas.topics import HITS, HOUR_MS

pytestmark = pytest.mark.timeout(120)
MASIR = Path(sys.executable).with_name("masir")
NOW_MS = 1_795_341_600_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


def line(number: int, target: str = "", status: int = 200) -> bytes:
    path = target or f"/page-{number}"
    time = f"22/Nov/2026:10:{number // 60:02}:{number % 60:02} +0000"
    return f'203.0.113.7 - - [{time}] "GET {path} HTTP/1.1" {status} 5 "-" "{AGENT}"\n'.encode()


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))


class Topic:
    """What a collector publishes to. ``down``: nothing can be published."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.down = False

    async def publish(self, records: list[Record]) -> None:
        if self.down:
            raise Unavailable("away")
        self.records += records

    def backlog(self) -> int:
        return 0

    def paths(self) -> list[str]:
        """Of the distinct hits, in order of arrival."""
        hits = [msgspec.json.decode(value) for key, value in self.records if key]
        return list({hit["hit_id"]: hit["url"].removeprefix("https://shop.example") for hit in hits}.values())


@pytest.fixture
async def topic() -> Topic:
    return Topic()


@pytest.fixture
async def url(topic: Topic) -> AsyncIterator[str]:
    collector = Collector(topic, now_ms=lambda: NOW_MS)
    port = await collector.start("127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    await collector.stop()


async def start(log: Path, url: str, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        MASIR, "tail", log, "--site", "shop.example", "--to", url, "--state", log.parent / "state" / "tail.json",
        *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def until(topic: Topic, count: int) -> None:
    async with asyncio.timeout(30):
        while len(topic.paths()) < count:
            await asyncio.sleep(0.05)


async def test_killed_restarted_and_rotated_and_each_page_view_once(
    topic: Topic, url: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    append(log, line(0), line(1, "/style.css"), line(2, status=404))
    process = await start(log, url)
    await until(topic, 1)
    append(log, line(3))
    await until(topic, 2)
    process.kill()
    await process.communicate()
    append(log, line(4))
    log.rename(tmp_path / "access.log.1")
    append(log, line(5), b"no log line\n")
    topic.down = True
    process = await start(log, url)
    await asyncio.sleep(2)
    assert len(topic.paths()) == 2
    topic.down = False
    await until(topic, 4)
    async with asyncio.timeout(20):
        while (b"", b"no log line") not in topic.records:
            await asyncio.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert b"refused" in said
    assert topic.paths() == ["/page-0", "/page-3", "/page-4", "/page-5"]


async def test_once_reads_what_is_there_through_a_rotation_and_says_how_much(
    topic: Topic, url: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    append(log, line(0))
    for expected in (1, 0):
        process = await start(log, url, "--once", "--json")
        said, errors = await process.communicate()
        assert process.returncode == 0, errors
        assert json.loads(said)["accepted"] == expected
    append(log, line(1))
    log.rename(tmp_path / "access.log.1")
    append(log, line(2), line(3, "/a.css"))
    process = await start(log, url, "--once", "--json")
    said, _ = await process.communicate()
    assert json.loads(said) == {
        "lines": 3, "hits": 2, "accepted": 2, "refused": 0, "skipped": 1, "retries": 0,
    }  # fmt: skip
    assert topic.paths() == ["/page-0", "/page-1", "/page-2"]


async def test_registry_of_sites_takes_old_lines_with_a_server_key_only(topic: Topic, tmp_path: Path) -> None:
    key = new_key()
    site = Site(
        name="shop.example", origins=("https://shop.example",), server_keys={"masir": (hash_of(key),)}
    )
    registry = Registry([site], environ={})
    gate = SiteGate(lambda: registry, backdate_ms=60_000)
    collector = Collector(topic, now_ms=lambda: NOW_MS, entrance=Entrance(gate))
    url = f"http://127.0.0.1:{await collector.start('127.0.0.1', 0)}"
    log = tmp_path / "access.log"
    append(log, line(0))
    (tmp_path / "key").write_text(f"{key}\n")
    try:
        process = await start(log, url, "--once")
        said, errors = await process.communicate()
        assert (process.returncode, topic.records) == (1, []), (said, errors)
        assert b"does not let these hits in" in errors
        process = await start(log, url, "--once", "--key-file", str(tmp_path / "key"))
        _, errors = await process.communicate()
        assert process.returncode == 0, errors
    finally:
        await collector.stop()
    assert topic.paths() == ["/page-0"]


def test_into_the_broker_of_a_data_directory(tmp_path: Path) -> None:
    database = tmp_path / "masir.db"
    broker = Log(database)
    broker.create_topic(HITS.name, partitions=2, retention_ms=HOUR_MS)
    broker.close()
    log = tmp_path / "access.log"
    append(log, line(0), line(1))
    arguments = [
        "--site",
        "shop.example",
        "--to",
        f"sqlite://{database}",
        "--state",
        tmp_path / "t.json",
        "--once",
    ]
    done = subprocess.run([MASIR, "tail", log, *arguments], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    broker = Log(database)
    assert sum(end for (topic, _), end in broker.ends().items() if topic == HITS.name) == 2
    broker.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.log", "--site", "a", "--once"], b"missing.log"),
        (["x.log"], b"--site"),
        (["x.log", "--site", "a", "--to", "ftp://x"], b"ftp://x"),
        (["x.log", "--site", "a", "--set", "colour=1"], b"colour"),
    ],
)
def test_wrong_options_are_named_with_code_2(tmp_path: Path, arguments: list[str], says: bytes) -> None:
    command = [MASIR, "tail", *arguments, "--state", tmp_path / "t.json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_one_process_at_a_time(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "t.json")
    with pytest.raises(SourceError, match="--state"):
        Memory(tmp_path / "t.json")
    memory.close()
    Memory(tmp_path / "t.json").close()


def test_broken_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(SourceError, match=r"t\.json"):
        Memory(tmp_path / "t.json")


def test_state_is_for_its_owner_only_and_keeps_the_salt(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "t.json")
    memory.keep(tmp_path / "a.log", Position(1, 2, 3))
    memory.close()
    assert (tmp_path / "t.json").stat().st_mode & 0o077 == 0
    again = Memory(tmp_path / "t.json")
    assert again.places == memory.places
    again.close()


async def test_nothing_is_remembered_that_was_not_acknowledged(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    append(log, line(0), line(1))
    sent: list[list[dict[str, Any]]] = []

    async def deliver(hits: list[bytes]) -> None:
        sent.append([msgspec.json.decode(hit) for hit in hits])
        if len(sent) == 1:
            raise Unavailable("away")

    memory = Memory(tmp_path / "t.json")
    for _ in range(2):
        tail = Tail([log], memory, constants={"site": "s"}, deliver=deliver, clock=lambda: 0.0)
        try:
            await tail.step()
        except Unavailable:
            assert memory.places.files == {}
        tail.close()
    memory.close()
    first, again = sent
    assert first == again
    assert Counter(hit["hit_id"] for hit in again).most_common(1)[0][1] == 1
