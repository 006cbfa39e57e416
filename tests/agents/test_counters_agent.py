"""Everything the third hop does for a batch of facts, in order: rows, commit, then the gauges."""

import msgspec
import pytest
from effects_kit import NOON, Committed, Counted, Sent, World, batch

from agents.counters import Counters
from pipeline.core.windows import sum_sessions
from pipeline.store.blocks import read_blocks
from schemas.counter import Facts
from schemas.session import SessionFact

PANE = 10_000
BOUNCE = SessionFact("shop", "email", NOON, 0, True, True, False, 0)


def facts(*sessions: SessionFact, watermark: int = NOON) -> bytes:
    return msgspec.msgpack.encode(
        Facts("sessionizer-0", watermark, sum_sessions(sessions, PANE), [], {"shop": 1})
    )


def hop(world: World) -> Counters:
    return Counters(world.context, pane_ms=PANE)


def rows(world: World) -> list[dict[str, object]]:
    return list(read_blocks("counters", [value for _, _, value in world.sent]).to_pylist())


async def test_everything_a_batch_leads_to_and_the_gauges_only_after_the_commit() -> None:
    world = World()
    await hop(world).handle(batch("facts", [facts(BOUNCE)], partition=3))
    assert world.effects == [
        Counted("publish"),  # what the state said, when it was taken up
        Sent("counters", 3, 1),
        Committed([("facts", 3, 1)], ["counters"]),
        Counted("publish"),
        Counted("end_to_end"),
    ]
    assert {(row["sessions"], row["bounced"], row["version"]) for row in rows(world)} == {(1, 1, 1)}


async def test_a_tick_takes_up_the_state_so_that_gauges_are_whole_after_a_restart() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("facts"))
    assert world.taken() == [Counted("publish")]
    await agent.handle(batch("facts"))
    assert world.taken() == []


async def test_a_take_back_after_a_restart_brings_the_pane_to_zero() -> None:
    world = World()
    await hop(world).handle(batch("facts", [facts(BOUNCE)]))
    back = msgspec.structs.replace(BOUNCE, sign=-1)
    await hop(world).handle(batch("facts", [facts(back)], first=1))
    last = {row["channel"]: (row["sessions"], row["version"]) for row in rows(world)}
    assert last["email"] == (0, 2)


async def test_many_messages_of_a_batch_are_one_unit() -> None:
    world = World()
    await hop(world).handle(batch("facts", [facts(BOUNCE)] * 5))
    assert [effect for effect in world.taken() if isinstance(effect, Committed)] == [
        Committed([("facts", 0, 5)], ["counters"])
    ]
    assert {row["sessions"] for row in rows(world)} == {5}


async def test_a_commit_that_fails_shows_no_gauge() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("facts"))
    world.taken()
    world.is_commit_broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        await agent.handle(batch("facts", [facts(BOUNCE)]))
    assert world.taken() == [Sent("counters", 0, 1)]
