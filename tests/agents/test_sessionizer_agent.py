"""Everything the first hop does for a batch, in order, the commit last; then the metrics."""

import json
from typing import Any
from zlib import crc32

import msgspec
import pytest
from effects_kit import NOON, PARTITIONS, Committed, Counted, Sent, World, batch

from agents.sessionizer import Sessionizer
from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.models import load
from pipeline.core.sessionizer import SessionRules
from pipeline.metrics import Metrics
from pipeline.model_files import builtin_texts
from pipeline.store.blocks import read_blocks
from schemas.counter import Facts
from schemas.evidence import EvidenceBatch
from schemas.touchpoint import Touch, Touchpoints

TIMEOUT = 1_800_000
MODELS = load(builtin_texts())


def hop(world: World, *, is_bounded: bool = False, metrics: Metrics | None = None) -> Sessionizer:
    rules = IntakeRules(
        sessions=SessionRules(lateness_ms=None if is_bounded else 3_600_000),
        goals=Goals(),
        models=MODELS,
        classifier=Classifier(),
        session_update_ms=None if is_bounded else 1_000,
    )
    context = world.context
    context.metrics = metrics or context.metrics
    return Sessionizer(context, rules)


def hit(time: int = NOON, **fields: Any) -> bytes:
    return json.dumps(
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": time} | fields
    ).encode()


def home(site: str) -> int:
    """The partition of a site's facts."""
    return crc32(site.encode()) % PARTITIONS


async def test_everything_a_batch_leads_to_and_the_commit_after_all_of_it() -> None:
    world = World()
    await hop(world).handle(batch("hits", [hit(), b"{"], partition=1))
    person = crc32(b"shop\x1fann") % PARTITIONS
    assert world.effects == [
        Sent("hit_rows", 1, 1),
        Sent("sessions", 1, 1),
        Sent("dead_letters", 1, 1),
        Sent("ledger", 1, 1),
        Sent("evidence", person, 1),
        *[Sent("evidence", partition, 1) for partition in range(PARTITIONS) if partition != person],
        *[Sent("touchpoints", partition, 1) for partition in range(PARTITIONS)],
        *[Sent("facts", partition, 1) for partition in range(PARTITIONS)],
        Committed([("hits", 1, 2)], ["sessionizer", "hit_ids"]),
        Counted("hits"),
        Counted("dead_letters"),
        Counted("watermark"),
    ]


async def test_what_is_ignored_or_cut_is_counted() -> None:
    world, metrics = World(), Metrics(version="1")
    agent = hop(world, metrics=metrics)
    long = "https://shop.example/" + "x" * 2_048
    said = metrics.registry.get_sample_value
    await agent.handle(batch("hits", [hit(), hit(urll="/"), hit(user_agnet="x")]))
    assert said("masir_hits_mended_total", {"what": "unknown_field"}) == 2
    await agent.handle(batch("hits", [hit(url=long, referrer=long)], first=3))
    assert said("masir_hits_mended_total", {"what": "unknown_field"}) == 2
    assert said("masir_hits_mended_total", {"what": "cut_url"}) == 2


async def test_moves_are_sent_when_a_late_hit_bridges_two_stored_sessions() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("hits", [hit(), hit(NOON - TIMEOUT - 1)]))
    world.taken()
    await agent.handle(batch("hits", [hit(NOON - TIMEOUT // 2)], first=2))
    topics = [effect.topic for effect in world.taken() if isinstance(effect, Sent)]
    assert topics[:3] == ["hit_rows", "sessions", "session_moves"]
    ((_, _, block),) = [sent for sent in world.sent if sent[0] == "session_moves"]
    assert read_blocks("session_moves", [block]).num_rows == 1


async def test_a_tick_on_an_empty_partition_sends_nothing() -> None:
    world = World()
    await hop(world).handle(batch("hits"))
    assert world.effects == [
        Committed([("hits", 0, 0)], ["sessionizer", "hit_ids"]),
        Counted("hits"),
        Counted("dead_letters"),
    ]


async def test_ticks_close_the_session_and_tell_its_fact_to_the_counters_of_its_site() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("hits", [hit()]))
    assert _facts(world, home("shop")).active == {"shop": 1}
    world.taken()
    world.now_ms += TIMEOUT + 11_000
    await agent.handle(batch("hits", first=1))
    assert world.taken() == [
        Sent("sessions", 0, 1),
        *[Sent("evidence", partition, 1) for partition in range(PARTITIONS)],
        *[Sent("touchpoints", partition, 1) for partition in range(PARTITIONS)],
        *[Sent("facts", partition, 1) for partition in range(PARTITIONS)],
        Committed([("hits", 0, 1)], ["sessionizer", "hit_ids"]),
        Counted("hits"),
        Counted("dead_letters"),
        Counted("watermark"),
    ]
    facts = _facts(world, home("shop"))
    assert (facts.source, facts.active, len(facts.sessions)) == ("sessionizer-0", {"shop": -1}, 1)
    assert facts.watermark == NOON - 10_000 + TIMEOUT + 11_000
    other = _facts(world, (home("shop") + 1) % PARTITIONS)
    assert (other.watermark, other.sessions, other.active) == (facts.watermark, [], {})


def _facts(world: World, partition: int) -> Facts:
    """What that partition of the counters was told last."""
    values = [value for topic, at, value in world.sent if (topic, at) == ("facts", partition)]
    return msgspec.msgpack.decode(values[-1], type=Facts)


async def test_a_partition_that_is_behind_closes_nothing_by_the_clock() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("hits", [hit()], is_caught_up=False))
    world.taken()
    world.now_ms += 10 * TIMEOUT
    await agent.handle(batch("hits", [hit(NOON + 1)], first=1, is_caught_up=False))
    assert all(not _facts(world, partition).sessions for partition in range(PARTITIONS))


async def test_the_final_batch_of_a_bounded_input_closes_everything() -> None:
    world = World()
    agent = hop(world, is_bounded=True)
    await agent.handle(batch("hits", [hit(), hit(visitor_id="bob")]))
    assert "sessions" not in [effect.topic for effect in world.taken() if isinstance(effect, Sent)]
    await agent.handle(batch("hits", first=2, is_final=True))
    ((_, _, block),) = [sent for sent in world.sent if sent[0] == "sessions"]
    assert read_blocks("sessions", [block]).column("closed").to_pylist() == [True, True]
    (one,) = _facts(world, home("shop")).sessions
    assert one.sums[0] == 2, "both in one pane, so one record"


async def test_evidence_goes_to_the_partition_of_its_person() -> None:
    world = World()
    people = [f"user {n}" for n in range(20)]
    await hop(world).handle(batch("hits", [hit(user_id=person) for person in people], partition=3))
    seen = []
    for topic, partition, value in world.sent:
        if topic == "evidence":
            found = msgspec.msgpack.decode(value, type=EvidenceBatch)
            assert found.source == 3
            for person in found.persons:
                assert crc32(person.encode()) % PARTITIONS == partition
                seen.append(person.removeprefix("shop\x1f"))
    assert sorted(seen) == sorted(people)


async def test_touchpoints_go_to_their_persons_and_the_watermark_to_every_partition() -> None:
    world = World()
    agent = hop(world, is_bounded=True)
    buys = hit(user_id="ann", visitor_id="phone", event="purchase", revenue=5, order_id="o1")
    await agent.handle(batch("hits", [buys, hit(visitor_id="tablet"), hit(NOON + 1, visitor_id="tablet")]))
    await agent.handle(batch("hits", first=3, is_final=True))
    told: dict[int, list[Touchpoints]] = {partition: [] for partition in range(PARTITIONS)}
    for topic, partition, value in world.sent:
        if topic == "touchpoints":
            told[partition].append(msgspec.msgpack.decode(value, type=Touchpoints))
    assert {messages[0].watermark for messages in told.values()} == {NOON + 1 - 10_000}
    every = [message for messages in told.values() for message in messages]
    assert [row for one in every for row in zip(one.hits.key, one.hits.kind, one.hits.text, strict=True)] == [
        ("shop\x1fann", Touch.ORDER, "o1")
    ]
    assert [row for one in every for row in zip(one.links.key, one.links.user_id, strict=True)] == [
        ("shop\x1fphone", "ann")
    ]
    sessions = {
        (key, known, sign, end)
        for one in every
        for key, known, sign, end in zip(
            one.sessions.key, one.sessions.known, one.sessions.sign, one.sessions.end, strict=True
        )
    }
    assert sessions == {("shop\x1fann", True, 1, NOON), ("shop\x1ftablet", False, 1, NOON + 1)}
    for partition, messages in told.items():
        for message in messages:
            for key in (*message.sessions.key, *message.hits.key, *message.links.key):
                assert crc32(key.encode()) % PARTITIONS == partition


async def test_partitions_are_apart_and_each_takes_up_its_own_state_after_a_restart() -> None:
    world = World()
    agent = hop(world)
    await agent.handle(batch("hits", [hit(hit_id="h1")], partition=0))
    await agent.handle(batch("hits", [hit(hit_id="h1")], partition=1))
    again = hop(world)
    world.taken()
    await again.handle(batch("hits", [hit(hit_id="h1")], partition=0, first=1))
    assert Sent("hit_rows", 0, 1) not in world.taken(), "a duplicate"
    await again.handle(batch("hits", [hit(hit_id="h1")], partition=2))
    assert Sent("hit_rows", 2, 1) in world.taken()


async def test_a_commit_that_fails_is_not_counted_and_leaves_the_state_as_it_was() -> None:
    world = World()
    world.is_commit_broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        await hop(world).handle(batch("hits", [hit(hit_id="h1")]))
    assert all(isinstance(effect, Sent) for effect in world.taken())
    assert world.sent == []
    world.is_commit_broken = False
    await hop(world).handle(batch("hits", [hit(hit_id="h1")]))
    assert world.taken()[0] == Sent("hit_rows", 0, 1)
