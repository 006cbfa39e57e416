"""The persons' agent: what a batch leads to, before the commit and in one unit of work; what a restart takes up."""

import msgspec
from effects_kit import PARTITIONS, World, batch

from agents.persons import NAME, Persons
from pipeline.core.ids import partition_of
from pipeline.core.persons.people import PersonRules
from pipeline.store.blocks import read_blocks
from schemas.counter import Facts
from schemas.erasure import Erasure
from schemas.evidence import EvidenceBatch
from schemas.touchpoint import HitColumns, LinkColumns, SessionColumns, Touch, Touchpoints

NOON = 1_790_856_000_000
DAY_MS = 86_400_000


def told(*kinds: Touch, an_id: str = "phone", user: str = "", time: int = NOON) -> bytes:
    """Notable hits of one id, and a link of it."""
    hits = HitColumns()
    for kind in kinds:
        row = (
            f"shop\x1f{an_id}",
            False,
            time,
            int(kind),
            False,
            False,
            kind.name.lower(),
            "direct",
            9_000_000,
            "",
            "",
            1,
        )
        for name, value in zip(HitColumns.__struct_fields__, row, strict=True):
            getattr(hits, name).append(value)
    links = LinkColumns([f"shop\x1f{an_id}"], [user], [time]) if user else LinkColumns()
    return msgspec.msgpack.encode(Touchpoints("sessionizer-0", time, SessionColumns(), hits, links))


def sent(world: World, topic: str) -> list[tuple[int, bytes]]:
    return [(partition, value) for name, partition, value in world.sent if name == topic]


async def test_signals_and_facts_leave_with_the_commit() -> None:
    world = World()
    await Persons(world.context, PersonRules()).handle(
        batch("touchpoints", [told(Touch.LEAVING, Touch.NPS)], partition=1)
    )
    ((partition, block),) = sent(world, "signals")
    assert partition == 1
    assert read_blocks("signals", [block]).column("reason").to_pylist() == ["leaving"]
    ((partition, value),) = sent(world, "facts")
    facts = msgspec.msgpack.decode(value, type=Facts)
    assert partition == partition_of("shop", PARTITIONS)
    assert [(one.reason, one.persons, one.raised) for one in facts.risks] == [("leaving", 1, 1)]
    assert [(one.name, one.sums) for one in facts.measures] == [("nps", [1, 9_000_000, 1, 0])]


async def test_a_link_tells_the_user_the_journeys_and_the_store() -> None:
    world = World()
    agent = Persons(world.context, PersonRules())
    await agent.handle(batch("touchpoints", [told(Touch.LEAVING, user="ann")]))
    ((target, value),) = sent(world, "touchpoints")
    passed = msgspec.msgpack.decode(value, type=Touchpoints)
    assert target == partition_of("shop\x1fann", PARTITIONS)
    assert (passed.is_passed_on, passed.watermark, passed.hits.key, passed.claims.key) == (
        True,
        None,
        ["shop\x1fann"],
        ["shop\x1fann"],
    )
    ((target, value),) = sent(world, "evidence")
    assert target == partition_of("shop\x1fphone", PARTITIONS)
    assert msgspec.msgpack.decode(value, type=EvidenceBatch).owners == [("shop\x1fphone", [NOON], ["ann"])]
    ((_, block),) = sent(world, "links")
    assert read_blocks("links", [block]).column("users").to_pylist() == [["ann"]]
    assert sent(world, "signals") == []


async def test_a_restart_takes_up_the_state() -> None:
    world = World()
    await Persons(world.context, PersonRules()).handle(batch("touchpoints", [told(Touch.LEAVING)]))
    await Persons(world.context, PersonRules()).handle(
        batch("touchpoints", [told(Touch.RENEWAL, time=NOON + 1)], first=1)
    )
    states = [
        read_blocks("signals", [block]).column("state").to_pylist() for _, block in sent(world, "signals")
    ]
    assert states == [["raised"], ["cleared"]]


async def test_who_is_erased_is_no_longer_at_risk_nor_is_a_visitor_shared_with_others() -> None:
    world = World()
    context = world.context
    agent = Persons(context, PersonRules())
    await agent.handle(batch("touchpoints", [told(Touch.LEAVING, an_id=one) for one in ("ann", "phone")]))
    world.sent.clear()
    context.erasures.tell(NAME, Erasure(1, "shop", users=frozenset({"ann"}), shared=frozenset({"phone"})))
    await agent.handle(batch("touchpoints", first=2))
    ((_, value),) = sent(world, "facts")
    assert [one.persons for one in msgspec.msgpack.decode(value, type=Facts).risks] == [-1, -1]
    assert context.erasures.due(NAME, 0) is None


async def test_the_last_batch_of_bounded_input_lets_time_pass_also_without_touchpoints() -> None:
    world = World()
    agent = Persons(world.context, PersonRules(bounded=True))
    later = told(Touch.NPS, an_id="tablet", time=NOON + 400 * DAY_MS)
    await agent.handle(batch("touchpoints", [told(Touch.LEAVING), later]))
    await agent.handle(batch("touchpoints", first=2, is_final=True))
    states = [
        read_blocks("signals", [block]).column("state").to_pylist() for _, block in sent(world, "signals")
    ]
    assert states[-1] == ["cleared"], "by itself"


async def test_a_tick_does_nothing() -> None:
    world = World()
    await Persons(world.context, PersonRules()).handle(batch("touchpoints"))
    assert world.effects == []
