"""Rows to the store in large blocks: inserted first, committed then; a store that is away is waited for."""

import asyncio
import logging
from typing import cast

import msgspec
import pytest
from effects_kit import NOON, Committed, Counted, Inserted, Refused, World, away, batch

from agents import store
from agents.store import TABLE_OF, Store
from pipeline.store.blocks import block, blocks_of
from pipeline.store.errors import RowsRefusedError
from pipeline.store.sink import Sink
from pipeline.transport.batch import Batch
from schemas.erasure import Erasure
from schemas.outcome import LedgerRow, Outcome
from schemas.rows import TABLES
from schemas.topics import TOPICS

FLUSH_MS = 500
HITS_FLUSH_MS = 100


def hop(world: World, *, block_bytes: int = 1_000_000) -> Store:
    return Store(
        world.context,
        cast(Sink, world),
        flush_ms=FLUSH_MS,
        hits_flush_ms=HITS_FLUSH_MS,
        block_bytes=block_bytes,
    )


def ledger(hits: int = 1) -> bytes:
    (value,) = blocks_of("ledger", [LedgerRow(0, "shop", Outcome.BOT, hits, 1)])
    return value


def hit_rows() -> bytes:
    """One row."""
    return block("hits", {name: [_some(name)] for name in TABLES["hits"].names})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.01)


async def test_a_block_waits_until_it_is_old_enough_then_is_inserted_and_only_then_committed() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("ledger", [ledger(), ledger()]))
    await agent.handle(batch("ledger", [ledger()], partition=1, first=7))
    world.now_ms += FLUSH_MS - 1
    await agent.handle(batch("ledger", first=2))
    assert world.taken() == []
    world.now_ms += 1
    await agent.handle(batch("ledger", first=2))
    assert world.taken() == [
        Inserted("ledger", 3, "ledger 0:0-1 1:7-7"),
        Committed([("ledger", 0, 2), ("ledger", 1, 8)], []),
        Counted("sink_rows"),
    ]
    world.now_ms += FLUSH_MS
    await agent.handle(batch("ledger", first=2))
    assert world.taken() == [], "it has left"


async def test_hits_wait_for_a_time_of_their_own() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("hit_rows", [hit_rows()]))
    world.now_ms += HITS_FLUSH_MS - 1
    await agent.handle(batch("hit_rows", first=1))
    assert world.taken() == []
    world.now_ms += 1
    await agent.handle(batch("hit_rows", first=1))
    assert Inserted("hits", 1, "hit_rows 0:0-0") in world.taken()


async def test_a_block_is_as_old_as_its_first_batch() -> None:
    """However many come after it: a trickle that never pauses must not hold the rows up."""
    world = World()
    agent = hop(world)
    for first in range(3):
        await agent.handle(batch("ledger", [ledger()], first=first))
        world.now_ms += FLUSH_MS // 2
    assert world.taken()[0] == Inserted("ledger", 3, "ledger 0:0-0 0:1-1 0:2-2")


async def test_a_block_that_is_large_enough_does_not_wait() -> None:
    world = World()
    value = ledger()
    agent = hop(world, block_bytes=2 * len(value))
    await agent.handle(batch("ledger", [value]))
    assert world.taken() == []
    await agent.handle(batch("ledger", [value], first=1))
    assert world.taken()[0] == Inserted("ledger", 2, "ledger 0:0-0 0:1-1")


async def test_the_final_batch_does_not_wait() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("ledger", [ledger()]))
    await agent.handle(batch("ledger", first=1, is_final=True))
    assert [type(effect) for effect in world.taken()] == [Inserted, Committed, Counted]
    await agent.handle(batch("ledger", partition=1, is_final=True))
    assert world.taken() == [], "nothing to insert is not inserted"


async def test_each_topic_has_its_own_block() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("ledger", [ledger()]))
    await agent.handle(batch("dead_letters", is_final=True))
    assert world.taken() == []


async def test_hit_rows_tell_how_long_they_were_under_way() -> None:
    world = World()
    await hop(world).handle(batch("hit_rows", [hit_rows()], is_final=True))
    assert world.taken() == [
        Inserted("hits", 1, "hit_rows 0:0-0"),
        Committed([("hit_rows", 0, 1)], []),
        Counted("sink_rows"),
        Counted("end_to_end"),
    ]


async def test_each_batch_of_a_block_has_been_under_way_since_its_oldest_hit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, told = World(), list[list[float]]()
    agent = hop(world)
    monkeypatch.setattr(
        agent._context.metrics, "end_to_end", lambda _, ages: told.append(list(ages)), raising=False
    )
    for partition, ages_ms in enumerate([(100, 200), (150, 50)]):
        rows = batch("hit_rows", [hit_rows(), hit_rows()], partition=partition)
        rows.timestamps = [world.now_ms - age_ms for age_ms in ages_ms]
        await agent.handle(rows)
    world.now_ms += HITS_FLUSH_MS
    await agent.handle(batch("hit_rows", first=2))
    assert told == [[(HITS_FLUSH_MS + 200) / 1000, (HITS_FLUSH_MS + 150) / 1000]]


def _some(name: str) -> object:
    kind = str(TABLES["hits"].field(name).type)
    return (
        "" if kind == "string" else NOON if kind.startswith("timestamp") else False if kind == "bool" else 0
    )


async def test_a_store_that_is_away_is_tried_again_and_nothing_is_committed_before_it_took_the_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(refusals=[away(), away()])
    with caplog.at_level(logging.WARNING):
        await hop(world).handle(batch("ledger", [ledger()], is_final=True))
    assert world.taken() == [
        Refused("ledger"),
        Counted("sink_error"),
        Refused("ledger"),
        Counted("sink_error"),
        Inserted("ledger", 1, "ledger 0:0-0"),
        Committed([("ledger", 0, 1)], []),
        Counted("sink_rows"),
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert world.away == {}, "it is back"


async def test_a_wait_that_is_cut_short_commits_nothing() -> None:
    world = World(refusals=[away() for _ in range(1_000)])
    waiting = asyncio.ensure_future(hop(world).handle(batch("ledger", [ledger()], is_final=True)))
    while "store" not in world.away:
        await asyncio.sleep(0.01)
    assert "ledger" in world.away["store"], "/readyz says so"
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert world.away == {}
    assert not [effect for effect in world.taken() if isinstance(effect, Committed)]


async def test_rows_of_a_partition_that_was_lost_are_waited_with_no_more() -> None:
    world = World(refusals=[away() for _ in range(1_000)])
    mine = batch("ledger", [ledger()], is_final=True)
    lost = LostAfter(*msgspec.structs.astuple(mine))
    with pytest.raises(ConnectionAbortedError):
        await hop(world).handle(lost)
    assert world.away == {}, "it is another worker's to say"
    assert not [effect for effect in world.taken() if isinstance(effect, Committed | Inserted)]


class LostAfter(Batch):
    """Of a partition that is lost while the store is away."""

    left: int = 2

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ConnectionAbortedError


async def test_a_store_that_is_away_takes_a_person_out_later_and_rows_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, answers = World(), [away(), away(), {"hits_rows": 2}]

    def erase(_: Erasure) -> dict[str, int]:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    monkeypatch.setattr(world, "erase", erase, raising=False)
    context = world.context
    agent = Store(
        context, cast(Sink, world), flush_ms=FLUSH_MS, hits_flush_ms=HITS_FLUSH_MS, block_bytes=1_000_000
    )
    context.erasures.tell("store", Erasure(1, "shop", visitors=frozenset({"ann"})))
    await agent.handle(batch("ledger"))
    await agent.handle(batch("ledger", [ledger()], is_final=True))
    assert context.erasures.partitions_done("store") == 0
    assert world.taken()[0] == Inserted("ledger", 1, "ledger 0:0-0")
    await agent.handle(batch("ledger", first=1))
    assert (context.erasures.partitions_done("store"), context.erasures.removed) == (1, {"hits_rows": 2})


async def test_rows_that_the_store_refuses_for_good_stop_the_hop() -> None:
    world = World(refusals=[RowsRefusedError("columns")])
    with pytest.raises(RowsRefusedError):
        await hop(world).handle(batch("ledger", [ledger()], is_final=True))
    assert world.taken() == [Refused("ledger")]


async def test_a_commit_that_fails_after_the_insert_leaves_the_block_to_be_inserted_again() -> None:
    world = World()
    world.is_commit_broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        await hop(world).handle(batch("ledger", [ledger()], is_final=True))
    world.is_commit_broken = False
    await hop(world).handle(batch("ledger", [ledger()], is_final=True))
    first, second = [effect for effect in world.taken() if isinstance(effect, Inserted)]
    assert first == second


def test_every_topic_that_the_store_reads_has_a_table() -> None:
    assert TABLE_OF.keys() == {topic.name for topic in TOPICS if "store" in topic.readers}
    assert set(TABLE_OF.values()) <= TABLES.keys()
