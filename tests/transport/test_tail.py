"""The tail of a log: the same records as from the file, only what is committed, within its bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport import log as log_module
from pipeline.transport.log import Log, Records
from pipeline.transport.packing import Payload
from pipeline.transport.tail import Tail

EVERYTHING = 1_000_000


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "masir.db")
    opened.create_topic("t", partitions=2, retention_ms=1_000)
    opened.tail.keep(["t"])
    yield opened
    opened.close()


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each row had that was read from the file."""
    counts: list[int] = []
    decode = log_module.decode_payload

    def counted(blob: bytes) -> Payload:
        payload = decode(blob)
        counts.append(len(payload.values))
        return payload

    monkeypatch.setattr(log_module, "decode_payload", counted)
    return counts


def append(log: Log, *values: bytes, topic: str = "t") -> None:
    with log.transaction():
        log.append(topic, 0, list(values), now_ms=7)


def fail_to_append(log: Log, value: bytes) -> None:
    def fail() -> None:
        with log.transaction():
            log.append("t", 0, [value], now_ms=7)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()


def read(log: Log, offset: int, most: int = EVERYTHING) -> Records:
    return log.read("t", 0, offset, most=most)


_STEPS = st.lists(
    st.tuples(st.sampled_from(["mine", "others", "failed", "read", "seek"]), st.integers(1, 6)), max_size=20
)


@given(_STEPS, st.integers(1, 12), st.sampled_from([0, 40, EVERYTHING]))
@settings(deadline=None, max_examples=60)
def test_whatever_is_written_and_read_is_as_without_a_tail(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], most: int, tail_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "masir.db"
    log, others = Log(path), Log(path)
    log.tail = Tail(tail_bytes)
    log.tail.keep(["t"])
    position = written = 0
    for step, count in steps:
        values = [b"%d" % n for n in range(written, written + count)]
        if step == "mine":
            append(log, *values)
            written += count
        elif step == "others":
            append(others, *values)
            written += count
        elif step == "failed":
            fail_to_append(log, b"never")
        elif step == "read":
            records = read(log, position, most)
            assert records.values == [b"%d" % n for n in records.offsets]
            assert records.timestamps == [7] * len(records.values)
            assert list(records.offsets[:1]) == ([position] if position < written else [])
            position += len(records.values)
        else:
            position = min(count, written)
    log.close()
    others.close()


def test_what_was_appended_here_is_not_unpacked_and_comes_once(log: Log, unpacked: list[int]) -> None:
    append(log, b"a", b"b")
    append(log, b"c")
    assert read(log, 0, most=2).values == [b"a", b"b"]
    assert read(log, 2).values == [b"c"]
    assert unpacked == []
    assert read(log, 0).values == [b"a", b"b", b"c"], "let go of: from the file"
    assert unpacked == [2, 1]


def test_reading_begins_within_a_row(log: Log, unpacked: list[int]) -> None:
    append(log, b"a", b"b", b"c")
    assert read(log, 1) == Records(range(1, 3), [b"b", b"c"], [7, 7])
    assert unpacked == []


def test_what_others_append_in_between_comes_from_the_file(log: Log, unpacked: list[int]) -> None:
    other = Log(log.path)
    append(log, b"a")
    append(other, b"b")
    append(log, b"c")
    other.close()
    seen: list[bytes] = []
    while len(seen) < 3:
        seen += read(log, len(seen), most=1).values
    assert seen == [b"a", b"b", b"c"]
    assert unpacked == [1]


def test_nothing_is_had_before_it_is_committed(log: Log) -> None:
    with log.transaction():
        log.append("t", 0, [b"a"], now_ms=7)
        assert log.tail.read("t", 0, 0) == []
    assert len(log.tail.read("t", 0, 0)) == 1
    fail_to_append(log, b"b")
    with log.transaction():
        pass
    assert log.tail.read("t", 0, 1) == []


def test_topics_that_nobody_reads_here_are_not_kept(log: Log) -> None:
    append(log, b"a", topic="u")
    assert log.tail.read("u", 0, 0) == []


def test_when_it_is_full_the_older_rows_stay(log: Log, unpacked: list[int]) -> None:
    log.tail = Tail(250)
    log.tail.keep(["t"])
    for value in (b"a", b"b", b"c"):
        append(log, value * 100)
    assert [read(log, n, most=1).values for n in range(3)] == [[b"a" * 100], [b"b" * 100], [b"c" * 100]]
    assert unpacked == [1]
    append(log, b"d" * 100)
    append(log, b"e" * 100)
    assert len(read(log, 3).values) == 2
    assert unpacked == [1], "there was room again"


def test_once_the_file_was_changed_it_counts(log: Log) -> None:
    append(log, b"a")
    log._db.execute("delete from batches")
    assert read(log, 0).values == [b"a"]
    append(log, b"b")
    log.tail.clear()
    log._db.execute("delete from batches")
    assert read(log, 1).values == []
