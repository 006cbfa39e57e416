"""Hits to the topic: to the partition of their key, all or none, and how many wait."""

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from pipeline.collector.publisher import Record, Unavailable
from pipeline.core.decode import keys_of
from pipeline.core.packed import Packed
from pipeline.transport.log import Log
from pipeline.transport.publish import BACKLOG_MS, LogPublisher


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "masir.db")
    opened.create_topic("hits", partitions=3, retention_ms=0)
    yield opened
    opened.close()


def publisher(log: Log, woken: list[int] | None = None) -> LogPublisher:
    told = [] if woken is None else woken
    return LogPublisher(
        log, "masir", now_ms=lambda: 77, on_append=lambda: told.append(sum(log.ends().values()))
    )


def test_each_hit_goes_to_the_partition_of_its_key_in_order(log: Log) -> None:
    woken: list[int] = []
    records: list[Record] = [(b"key %d" % (n % 17), b"%d" % n) for n in range(40)]
    publisher(log, woken).append(records)
    for partition in range(3):
        expected = [value for key, value in records if crc32(key) % 3 == partition]
        found = log.read("hits", partition, 0, most=1_000)
        assert found.values == expected
        assert set(found.timestamps) == {77}
    assert woken == [40], "told once, when it can be read"


def test_what_has_no_key_is_spread_by_its_bytes(log: Log) -> None:
    publisher(log).append([(b"", b"garbage %d" % n) for n in range(30)])
    assert {partition for (_, partition), end in log.ends().items() if end} == {0, 1, 2}


async def test_nothing_to_publish_is_fine(log: Log) -> None:
    await publisher(log).publish([])
    assert log.ends() == {}


async def test_all_or_none_and_the_caller_may_try_again(log: Log) -> None:
    other = Log(log.path, busy_seconds=0.05)
    woken: list[int] = []
    hits = publisher(other, woken)
    with log.transaction(), pytest.raises(Unavailable, match="locked"):
        await hits.publish([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    assert (log.ends(), woken) == ({}, [])
    await hits.publish([(b"a", b"1")])
    assert sum(log.ends().values()) == 1
    other.close()


def test_the_backlog_is_what_the_consumer_has_not_committed(log: Log) -> None:
    clock = [0]
    hits = LogPublisher(log, "masir", now_ms=lambda: clock[0])
    hits.append([(b"a", b"1")] * 5)
    partition = crc32(b"a") % 3
    assert hits.backlog() == 5
    with log.transaction():
        log.commit_offset("masir", "hits", partition, 3)
        log.commit_offset("somebody else", "hits", partition, 5)
        log.append("other topic", 0, [b"x"], now_ms=0)
    clock[0] += BACKLOG_MS
    assert hits.backlog() == 2
    hits.append([(b"b", b"2")] * 4)
    assert hits.backlog() == 6, "what was appended since it was counted is in it"


def test_without_the_topic_there_is_nothing_to_publish_to(tmp_path: Path) -> None:
    log = Log(tmp_path / "empty.db")
    with pytest.raises(KeyError):
        publisher(log)
    log.close()


def test_many_hits_go_where_each_would_go_alone(log: Log) -> None:
    raws = [b'{"site":"shop","event":"click","visitor_id":"v%d"}' % (n % 17) for n in range(40)] + [
        b"{",
        b"{}",
    ]
    log.tail.keep(["hits"])
    publisher(log, woken := []).append_hits(raws)
    assert woken == [42], "told once, when it can be read"
    seen = 0
    for partition in range(3):
        expected = [
            raw for raw, key in zip(raws, keys_of(raws), strict=True) if crc32(key or raw) % 3 == partition
        ]
        from_tail = log.read("hits", partition, 0, most=1_000)
        from_file = log.read("hits", partition, 0, most=1_000)
        assert (isinstance(from_tail.values, Packed), isinstance(from_file.values, list)) == (True, True)
        assert list(from_tail.values) == from_file.values == expected
        assert from_tail.timestamps == from_file.timestamps == [77] * len(expected)
        assert log.read("hits", partition, 1, most=1_000).values == expected[1:]
        seen += len(expected)
    assert seen == 42
    publisher(log).append_hits([])
    assert sum(log.ends().values()) == 42
