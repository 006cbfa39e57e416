"""The spool: order, durability across kill -9, its bound, and that nothing is lost or left when the topic is back."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientSession

from pipeline.collector.process import _InThread
from pipeline.collector.publisher import Record, Unavailable
from pipeline.collector.server import Collector
from pipeline.collector.spool import Spool, SpooledPublisher
from pipeline.transport.publish import LogPublisher

from .conftest import NOW_MS, MemoryTopic, hit

MUCH = 1_000_000


def records(*names: str) -> list[Record]:
    return [(name.encode(), f"hit of {name}".encode()) for name in names]


def names(topic: MemoryTopic) -> list[str]:
    return [key.decode() for key, _ in topic.records]


@pytest.fixture
async def topic() -> MemoryTopic:
    return MemoryTopic()


@pytest.fixture
async def spooled(topic: MemoryTopic, tmp_path: Path) -> AsyncIterator[SpooledPublisher]:
    publisher = SpooledPublisher(topic, Spool(tmp_path / "spool.db", most_bytes=MUCH), patience_s=0.05)
    publisher.start()
    yield publisher
    topic.gate.set()
    await publisher.stop()


async def until_drained(publisher: SpooledPublisher) -> None:
    async with asyncio.timeout(10):
        while publisher.waiting:
            await asyncio.sleep(0.01)


async def test_a_topic_that_is_there_gets_the_hits_at_once(
    topic: MemoryTopic, spooled: SpooledPublisher
) -> None:
    await spooled.publish(records("a", "b"))
    assert names(topic) == ["a", "b"]
    assert spooled.waiting == 0


@pytest.mark.parametrize("how", ["it refuses", "it hangs"])
async def test_a_topic_that_is_away_gets_them_in_order_when_it_is_back(
    topic: MemoryTopic, spooled: SpooledPublisher, how: str
) -> None:
    if how == "it refuses":
        topic.down = Unavailable("away")
    else:
        topic.gate.clear()
    for name in "abcde":
        await spooled.publish(records(name))
    assert (spooled.waiting, names(topic)) == (5, [])
    topic.unread = 7
    assert spooled.backlog() == 12
    topic.down = None
    topic.gate.set()
    await spooled.publish(records("f"))  # while it drains: behind the others
    await until_drained(spooled)
    assert names(topic) == list("abcdef")
    await spooled.publish(records("g"))
    assert names(topic)[-1] == "g"


@pytest.mark.parametrize(
    "error", [sqlite3.IntegrityError("twice"), OSError("no disk"), RuntimeError("a fault")]
)
async def test_no_error_keeps_what_waits_from_following(
    topic: MemoryTopic, spooled: SpooledPublisher, error: Exception
) -> None:
    topic.down = Unavailable("away")
    await spooled.publish(records("a"))
    topic.down = error
    await asyncio.sleep(0.7)
    assert spooled.waiting == 1
    topic.down = None
    await until_drained(spooled)
    assert names(topic) == ["a"]


async def test_a_slow_append_is_over_before_the_next_begins(tmp_path: Path) -> None:
    """Also when nobody waits for it any more."""
    events: list[str] = []

    class Slow(LogPublisher):
        def __init__(self) -> None: ...

        def append(self, records: Sequence[Record]) -> None:
            events.append("begin")
            time.sleep(0.1)
            events.append("end")

    publisher = SpooledPublisher(
        _InThread(Slow()), Spool(tmp_path / "spool.db", most_bytes=MUCH), patience_s=0.02
    )
    publisher.start()
    await publisher.publish(records("a"))
    await until_drained(publisher)
    await publisher.stop()
    assert len(events) >= 4
    assert events == ["begin", "end"] * (len(events) // 2)


async def test_the_spool_is_bounded(topic: MemoryTopic, tmp_path: Path) -> None:
    topic.down = Unavailable("away")
    spool = Spool(tmp_path / "spool.db", most_bytes=100)
    publisher = SpooledPublisher(topic, spool)
    await publisher.publish(records("a"))
    with pytest.raises(Unavailable, match="full"):
        await publisher.publish(records(*"bcdefghij"))
    assert (spool.hits, spool.bytes <= 100) == (1, True)
    await publisher.publish(records("b"))
    publisher.start()
    topic.down = None
    await until_drained(publisher)
    assert names(topic) == ["a", "b"], "what was refused is not there"
    assert spool.bytes == 0
    await publisher.stop()


def test_a_disk_that_does_not_take_it_is_unavailable(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", most_bytes=MUCH)
    with closing(sqlite3.connect(tmp_path / "spool.db")) as other:
        other.execute("drop table waiting")
    with pytest.raises(Unavailable, match="cannot be written"):
        spool.append(records("a"))
    spool.close()


CHILD = """
import sys
from pathlib import Path
from pipeline.collector.spool import Spool
spool = Spool(Path(sys.argv[1]), most_bytes=10**9)
for number in range(10**6):
    spool.append([(b"k", b"pay-%d" % number)] * 3)
    print(number, flush=True)
"""


async def test_what_was_acknowledged_survives_kill_9(topic: MemoryTopic, tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == 50:
                child.send_signal(signal.SIGKILL)
                break
        acknowledged = 50 + len(child.stdout.read().split())
    publisher = SpooledPublisher(topic, Spool(path, most_bytes=MUCH))
    publisher.start()
    await until_drained(publisher)
    await publisher.stop()
    found = [int(value.removeprefix(b"pay-")) for _, value in topic.records]
    assert found == [number for number in range(len(found) // 3) for _ in range(3)], "in order, whole batches"
    assert acknowledged <= len(found) // 3 - 1 <= acknowledged + 1
    assert b"pay-" not in path.read_bytes()


async def test_through_a_collector(topic: MemoryTopic, spooled: SpooledPublisher) -> None:
    collector = Collector(spooled, now_ms=lambda: NOW_MS)
    url = f"http://127.0.0.1:{await collector.start('127.0.0.1', 0)}/v1/hits"
    topic.down = Unavailable("away")
    async with ClientSession() as client:
        for number in range(3):
            async with client.post(url, data=json.dumps(hit(visitor_id=f"v{number}"))) as answer:
                assert answer.status == 200
    topic.down = None
    await until_drained(spooled)
    assert [one["visitor_id"] for one in topic.hits] == ["v0", "v1", "v2"]
    await collector.stop()
