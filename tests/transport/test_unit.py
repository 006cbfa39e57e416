"""The unit of work: all of it or nothing, and those who wait are told only when it is done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.log import Log
from pipeline.transport.state import StateStore
from pipeline.transport.unit import UnitOfWork


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "masir.db")
    yield opened
    opened.close()


def batch(*offsets: int, partition: int = 0, next_offset: int = 0) -> Batch:
    return Batch(
        topic="in",
        partition=partition,
        values=[b"x"] * len(offsets),
        timestamps=[0] * len(offsets),
        offsets=offsets,
        next_offset=offsets[-1] + 1 if offsets else next_offset,
        is_caught_up=True,
        is_final=False,
        on_release=lambda _: None,
    )


def read(log: Log, topic: str, partition: int = 0) -> list[bytes]:
    return log.read(topic, partition, 0, most=1_000).values


async def test_state_records_and_offsets_take_place_together(log: Log) -> None:
    done: list[int] = []
    unit, store = (
        UnitOfWork(log, "me", on_commit=lambda: done.append(log.end("out", 0))),
        StateStore(log, "s", 0),
    )
    store["k"] = b"v"
    unit.send("out", 0, [b"1"])
    unit.send("out", 1, [b"2"])
    unit.send("out", 0, [b"3"])
    unit.send("none", 0, [])
    assert log.ends() == {}
    await unit.commit([batch(0, 1), batch(7, partition=1)], [store], now_ms=5)
    assert (read(log, "out"), read(log, "out", 1)) == ([b"1", b"3"], [b"2"])
    assert log.committed("me") == {("in", 0): 2, ("in", 1): 8}
    assert dict(StateStore(log, "s", 0)) == {"k": b"v"}
    assert log.read("out", 0, 0, most=9).timestamps == [0, 0], (
        "when the oldest of what they come from was received"
    )
    assert ("none", 0) not in log.ends()
    assert done == [2]


async def test_a_tick_consumes_nothing(log: Log) -> None:
    unit = UnitOfWork(log, "me", on_commit=lambda: None)
    unit.send("out", 0, [b"1"])
    await unit.commit([batch(next_offset=9)], [], now_ms=0)
    assert log.committed("me") == {}
    assert read(log, "out") == [b"1"]


async def test_a_tick_of_which_nothing_came_is_not_written(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[None] = []
    unit, store, journal = (
        UnitOfWork(log, "me", on_commit=lambda: done.append(None)),
        StateStore(log, "s", 0),
        Journal(log, "j", 0),
    )
    tick = batch(next_offset=9)
    with monkeypatch.context() as patched:
        patched.setattr(Log, "transaction", lambda _: pytest.fail("there is nothing to write"))
        await unit.commit([tick], [store, journal], now_ms=0)
    assert done == []
    store["k"] = b"v"
    await unit.commit([tick], [store, journal], now_ms=0)
    journal.add(b"entry", needed=0)
    await unit.commit([tick], [store, journal], now_ms=0)
    journal.add(None, needed=1)
    await unit.commit([tick], [store, journal], now_ms=0)
    assert len(done) == 3
    assert dict(StateStore(log, "s", 0)) == {"k": b"v"}
    assert list(Journal(log, "j", 0).entries()) == []


async def test_what_leads_to_nothing_is_consumed_too(log: Log) -> None:
    unit = UnitOfWork(log, "me", on_commit=lambda: None)
    await unit.commit([batch(0, 1)], [], now_ms=0)
    assert log.committed("me") == {("in", 0): 2}


class _Breaks(StateStore):
    def write_changes(self) -> None:
        super().write_changes()
        raise OSError("the disk is gone")


async def test_a_failure_inside_the_commit_leaves_nothing(log: Log) -> None:
    done: list[None] = []
    unit, store, broken = (
        UnitOfWork(log, "me", on_commit=lambda: done.append(None)),
        StateStore(log, "s", 0),
        _Breaks(log, "b", 0),
    )
    store["k"], broken["k"] = b"v", b"v"
    unit.send("out", 0, [b"1"])
    with pytest.raises(OSError, match="the disk is gone"):
        await unit.commit([batch(0)], [store, broken], now_ms=0)
    assert (log.ends(), log.committed("me"), done) == ({}, {}, [])
    assert dict(StateStore(log, "s", 0)) == dict(StateStore(log, "b", 0)) == {}


async def test_what_was_committed_is_not_sent_again_with_the_next_unit(log: Log) -> None:
    unit = UnitOfWork(log, "me", on_commit=lambda: None)
    unit.send("out", 0, [b"1"])
    await unit.commit([batch(0)], [], now_ms=0)
    unit.send("out", 0, [b"2"])
    await unit.commit([batch(1)], [], now_ms=0)
    assert read(log, "out") == [b"1", b"2"]
