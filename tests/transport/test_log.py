"""Topics in a SQLite file: offsets without gaps, reads from anywhere, retention, transactions, writers."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport.log import Log

EVERYTHING = 1_000_000


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "masir.db")
    opened.create_topic("t", partitions=2, retention_ms=1_000)
    yield opened
    opened.close()


def append(log: Log, *values: bytes, partition: int = 0, now_ms: int = 0) -> int:
    with log.transaction():
        return log.append("t", partition, list(values), now_ms=now_ms)


@given(st.lists(st.integers(1, 7), max_size=8), st.integers(0, 40), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_any_offset_of_any_batches_reads_on_from_there(sizes: list[int], offset: int, most: int) -> None:
    log = Log(Path(":memory:"))
    values: list[bytes] = []
    for now_ms, size in enumerate(sizes):
        some = [b"%d" % (len(values) + n) for n in range(size)]
        assert append(log, *some, now_ms=now_ms) == len(values)
        values += some
    records = log.read("t", 0, offset, most=most)
    assert records.values == values[offset : offset + len(records.values)]
    assert list(records.offsets) == list(range(offset, offset + len(records.values)))
    assert len(records.timestamps) == len(records.values)
    is_at_end = offset >= len(values)
    assert bool(records.values) != is_at_end
    assert len(records.values) <= max(most, 7), "whole rows, of which the largest has seven"
    assert (log.begin("t", 0), log.end("t", 0)) == (0, len(values))
    log.close()


def test_reading_on_and_on_gives_every_record_once_in_order(log: Log) -> None:
    for base in range(0, 50, 10):
        append(log, *[b"%d" % n for n in range(base, base + 10)])
    position, seen = 3, []
    while position < log.end("t", 0):
        records = log.read("t", 0, position, most=15)
        seen += records.values
        position = records.offsets[-1] + 1
    assert seen == [b"%d" % n for n in range(3, 50)]


def test_partitions_and_topics_are_apart(log: Log) -> None:
    append(log, b"a")
    append(log, b"b", partition=1)
    assert log.read("t", 0, 0, most=EVERYTHING).values == [b"a"]
    assert log.read("t", 1, 0, most=EVERYTHING).values == [b"b"]
    assert log.read("u", 0, 0, most=EVERYTHING).values == []
    assert log.ends() == {("t", 0): 1, ("t", 1): 1}
    assert log.end("u", 0) == log.begin("u", 0) == 0


def test_timestamps_are_the_time_of_appending_unless_given(log: Log) -> None:
    append(log, b"a", b"b", now_ms=7)
    with log.transaction():
        log.append("t", 0, [b"c"], now_ms=8, timestamps=[3])
    assert log.read("t", 0, 0, most=EVERYTHING).timestamps == [7, 7, 3]


def test_a_topic_keeps_its_partitions_and_may_change_its_retention(log: Log) -> None:
    log.create_topic("t", partitions=2, retention_ms=5)
    with pytest.raises(ValueError, match="topic t has 2 partitions, not 3"):
        log.create_topic("t", partitions=3, retention_ms=5)
    assert (log.partitions("t"), log.partitions("u")) == (2, None)


def test_a_transaction_that_fails_leaves_nothing(log: Log) -> None:
    append(log, b"a")

    def fail() -> None:
        with log.transaction():
            log.append("t", 0, [b"b"], now_ms=0)
            log.commit_offset("me", "t", 0, 1)
            log.append_changes("s", 0, 0, [("k", b"v")])
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert log.end("t", 0) == 1
    assert log.read("t", 0, 0, most=EVERYTHING).values == [b"a"]
    assert log.committed("me") == {}
    assert list(log.changes("s", 0)) == []
    assert append(log, b"c") == 1


def test_another_connection_sees_a_transaction_only_when_it_is_done(log: Log) -> None:
    other = Log(log.path)
    with log.transaction():
        log.append("t", 0, [b"a"], now_ms=0)
        assert other.end("t", 0) == 0
    assert other.read("t", 0, 0, most=EVERYTHING).values == [b"a"]
    other.close()


def test_everything_is_there_after_it_was_opened_again(log: Log) -> None:
    append(log, b"a", b"b")
    with log.transaction():
        log.commit_offset("me", "t", 0, 1)
        log.commit_offset("me", "t", 0, 2)
        log.commit_offset("you", "t", 1, 9)
    log.close()
    again = Log(log.path)
    assert again.read("t", 0, 1, most=EVERYTHING).values == [b"b"]
    assert again.committed("me") == {("t", 0): 2}
    again.close()


def committed(log: Log, consumer: str, offset: int, partition: int = 0) -> None:
    with log.transaction():
        log.commit_offset(consumer, "t", partition, offset)


def test_retention_deletes_what_is_both_consumed_and_old(log: Log) -> None:
    append(log, b"a", b"b", now_ms=0)
    append(log, b"c", now_ms=500)
    append(log, b"d", now_ms=5_000)
    readers = {"t": ["me", "you"]}
    committed(log, "me", 4)
    assert log.apply_retention(readers, now_ms=9_999) == 0, "one reader has not come so far"
    committed(log, "you", 1)
    assert log.apply_retention(readers, now_ms=9_999) == 0, "only half of the row is consumed"
    committed(log, "you", 3)
    assert log.apply_retention(readers, now_ms=1_000) == 0, "exactly as old as retention keeps it"
    assert log.apply_retention(readers, now_ms=1_001) == 1
    assert (log.begin("t", 0), log.end("t", 0)) == (2, 4)
    assert log.apply_retention(readers, now_ms=9_999) == 1, "the newest is not consumed by all"
    assert log.read("t", 0, 3, most=EVERYTHING).values == [b"d"]
    committed(log, "you", 4)
    assert log.apply_retention(readers, now_ms=9_999) == 1
    assert (log.begin("t", 0), log.end("t", 0)) == (4, 4)
    assert append(log, b"e") == 4, "offsets go on"


def test_retention_of_a_topic_that_nobody_reads_is_by_age_alone(log: Log) -> None:
    append(log, b"a", now_ms=0)
    append(log, b"b", partition=1, now_ms=3_000)
    assert log.apply_retention({}, now_ms=3_500) == 1
    assert (log.begin("t", 0), log.begin("t", 1)) == (1, 0)


_WRITER = """
import sys
from pathlib import Path
from pipeline.transport.log import Log
log = Log(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for n in range(200):
    with log.transaction():
        log.append("t", 0, [f"{sys.argv[2]}-{n}-{m}".encode() for m in range(3)], now_ms=n)
"""


def test_processes_that_append_at_once_leave_no_gap_and_lose_nothing(log: Log) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(log.path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0]
    records = log.read("t", 0, 0, most=EVERYTHING)
    assert list(records.offsets) == list(range(1_200)) == list(range(log.end("t", 0)))
    for name in "ab":
        mine = [value for value in records.values if value.startswith(name.encode())]
        assert mine == [f"{name}-{n}-{m}".encode() for n in range(200) for m in range(3)]


_FULL_DISK = """
import resource, signal, sqlite3, sys
from pathlib import Path
from pipeline.transport.log import Log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = Log(Path(sys.argv[1]))
written = log.end("t", 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
refused = 0
while refused < 3:
    try:
        with log.transaction():
            log.append("t", 0, [bytes(20_000)] * 5, now_ms=1)
        written += 5
    except sqlite3.OperationalError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with log.transaction():
    log.append("t", 0, [b"last"], now_ms=1)
records = log.read("t", 0, 0, most=1_000_000)
assert len(records.values) == written + 1, (len(records.values), written)
assert records.values[-1] == b"last"
"""


def test_a_full_disk_refuses_and_is_well_again_when_there_is_room(log: Log) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(log.path)], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr


def test_a_writer_that_waits_too_long_says_so(log: Log) -> None:
    other = Log(log.path, busy_seconds=0.05)
    with log.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        append(other, b"a")
    assert append(other, b"b") == 0
    other.close()
