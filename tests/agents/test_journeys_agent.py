"""Everything the second hop does for a batch of evidence, in order, the commit last."""

from zlib import crc32

import msgspec
import numpy as np
import pytest
from effects_kit import NOON, PARTITIONS, Committed, Counted, Sent, World, batch

from agents.journeys import Journeys, Remade
from pipeline.core.evidence import only_owners, only_time
from pipeline.core.models import changed_models, load
from pipeline.core.remaking import Remaking
from pipeline.model_files import builtin_texts
from pipeline.settings import SettingsError
from pipeline.store.blocks import read_blocks
from schemas.counter import Facts
from schemas.evidence import EvidenceBatch, Kind

SESSION = "0123456789abcdef" * 2
MODELS = load(builtin_texts())


def evidence(*events: str, site: str = "shop", person: str = "ann", start: int = NOON) -> bytes:
    url, at = "https://a.example/", np.arange(len(events))
    kinds: list[Kind] = [
        (MODELS.touchpoint(event, url, "direct", event == "purchase", None, None), event, "direct")
        for event in events
    ]
    same = np.zeros(len(events), np.int32).tobytes()
    found = EvidenceBatch(
        source=0,
        persons=[f"{site}\x1f{person}"],
        kinds=kinds,
        urls=[url],
        person=same,
        time=(start + at).tobytes(),
        kind=at.astype(np.int32).tobytes(),
        url=same,
        session=bytes.fromhex(SESSION) * len(events),
    )
    return msgspec.msgpack.encode(found)


def sent_rows(world: World) -> list[dict[str, object]]:
    blocks = [value for topic, _, value in world.sent if topic == "transitions"]
    return list(read_blocks("transitions", blocks).to_pylist())


async def test_everything_a_batch_leads_to_and_the_commit_after_all_of_it() -> None:
    world = World()
    await Journeys(world.context, MODELS).handle(batch("evidence", [evidence("page_view")], partition=2))
    assert world.effects == [
        Sent("transitions", 2, 1),
        Sent("facts", crc32(b"shop") % PARTITIONS, 1),
        Committed([("evidence", 2, 1)], ["journeys", "silent_journeys"]),
        Counted("history_missed"),
    ]
    rows = sent_rows(world)
    assert {row["model"] for row in rows} == {model.name for model in MODELS.models}
    assert {(row["kind"], row["version"]) for row in rows} == {("enter", 1)}
    ((_, _, value),) = [sent for sent in world.sent if sent[0] == "facts"]
    facts = msgspec.msgpack.decode(value, type=Facts)
    assert (facts.source, facts.watermark, len(facts.transitions)) == ("journeys-2", None, len(rows))


async def test_a_tick_does_nothing_at_all() -> None:
    world = World()
    await Journeys(world.context, MODELS).handle(batch("evidence"))
    assert world.effects == []


async def test_the_last_batch_of_bounded_input_lets_time_pass_also_without_evidence() -> None:
    world = World()
    agent = Journeys(world.context, MODELS, bounded=True)
    later = msgspec.msgpack.encode(only_time(0, NOON + 400 * 86_400_000))
    await agent.handle(batch("evidence", [evidence("page_view"), later]))
    assert {row["kind"] for row in sent_rows(world)} == {"enter"}
    await agent.handle(batch("evidence", first=2, is_final=True))
    assert {row["kind"] for row in sent_rows(world)} == {"enter", "lapse"}


async def test_evidence_that_moves_nobody_is_still_kept_and_consumed() -> None:
    world = World()
    agent = Journeys(world.context, MODELS)
    await agent.handle(batch("evidence", [evidence("page_view")]))
    world.taken()
    await agent.handle(batch("evidence", [evidence("page_view", start=NOON + 60_000)], first=1))
    assert world.taken() == [
        Committed([("evidence", 0, 2)], ["journeys", "silent_journeys"]),
        Counted("history_missed"),
    ]


async def test_each_sites_facts_go_to_its_partition() -> None:
    world = World()
    sites = ["shop", "blog", "wiki", "app"]
    values = [evidence("page_view", site=site) for site in sites]
    await Journeys(world.context, MODELS).handle(batch("evidence", values))
    seen = []
    for topic, partition, value in world.sent:
        if topic == "facts":
            of_sites = {fact.site for fact in msgspec.msgpack.decode(value, type=Facts).transitions}
            assert {crc32(site.encode()) % PARTITIONS for site in of_sites} == {partition}
            seen += of_sites
    assert sorted(seen) == sorted(sites)


async def test_a_restart_goes_on_with_state_and_version() -> None:
    world = World()
    await Journeys(world.context, MODELS).handle(batch("evidence", [evidence("page_view")]))
    await Journeys(world.context, MODELS).handle(
        batch("evidence", [evidence("purchase", start=NOON + 9)], first=1)
    )
    (moved,) = [row for row in sent_rows(world) if row["model"] == "classic5" and row["version"] == 2]
    assert (moved["from_stage"], moved["to_stage"], moved["ordinal"]) == ("awareness", "purchase", 1)


async def test_other_models_than_the_states_are_refused_with_what_to_do() -> None:
    world = World()
    await Journeys(world.context, MODELS).handle(batch("evidence", [evidence("page_view")]))
    texts = builtin_texts()
    texts["funnel4.toml"] = texts["funnel4.toml"].replace("/plans*", "/tariffs*")
    del texts["buyer3.toml"]
    other = Journeys(world.context, load(texts))
    with pytest.raises(SettingsError, match="masir rebuild --model buyer3 --model funnel4"):
        other.check()
    with pytest.raises(SettingsError, match="masir rebuild --model buyer3 --model funnel4"):
        await other.handle(batch("evidence", [evidence("page_view")]))
    Journeys(world.context, MODELS).check()
    Journeys(World().context, load(texts)).check()


async def test_a_new_history_takes_the_place_of_what_was_set_aside() -> None:
    world, others = World(), load({"funnel4.toml": builtin_texts()["funnel4.toml"]})
    hop = Journeys(world.context, MODELS)
    await hop.handle(batch("evidence", [evidence("page_view")]))
    assert changed_models(hop.digests(), MODELS.digests) == []
    world.taken()
    hop.use(others)
    kept = {partition: hop.set_aside(partition) for partition in range(PARTITIONS)}
    assert world.taken() == [], "nothing is stored yet"
    assert hop.set_aside(0) is kept[0], "also when it is tried again"
    step = ("shop", "funnel4", "", "awareness")
    await hop.take_back(
        Remade(Remaking(others, kept, PARTITIONS).journeys, [(0, b"rows")], {step: 1}, {}, [])
    )
    sent = [effect for effect in world.taken() if isinstance(effect, Sent)]
    assert [(one.topic, one.values) for one in sent] == [("transitions", 1), ("facts", 1)]
    assert hop.digests() == others.digests
    world.sent.clear()
    await Journeys(world.context, others).handle(batch("evidence", [evidence("page_view")], first=3))
    assert {row["version"] for row in sent_rows(world)} == {3}, "1, taken back, and this one"


async def test_a_partition_made_anew_leaves_out_what_was_matched_before_and_says_its_epoch() -> None:
    world = World()
    first = Journeys(world.context, MODELS)
    owners = msgspec.msgpack.encode(only_owners([("shop\x1fbrowser", [NOON], ["ann"])]))
    await first.handle(batch("evidence", [evidence("page_view"), owners], partition=1))
    hop = Journeys(world.context, MODELS)  # the partition's next owner: its state may be of other models
    kept = {1: hop.set_aside(1)}
    assert kept[1].owners == {"shop\x1fbrowser": ((NOON,), ("ann",))}
    remaking = Remaking(MODELS, kept, PARTITIONS)
    world.sent.clear()
    await hop.take_back(Remade(remaking.journeys, [], {}, {}, [], epoch=8))
    old = msgspec.msgpack.decode(evidence("purchase", person="browser"), type=EvidenceBatch)
    old.known = b"\0"
    new = msgspec.structs.replace(old, epoch=8)
    for agent, at in ((hop, 2), (Journeys(world.context, MODELS), 3)):
        await agent.handle(batch("evidence", [msgspec.msgpack.encode(old)], partition=1, first=at))
        assert world.sent == [], "its hits were among the stored ones"
    await agent.handle(batch("evidence", [msgspec.msgpack.encode(new)], partition=1, first=4))
    passed = [
        msgspec.msgpack.decode(one, type=EvidenceBatch) for to, _, one in world.sent if to == "evidence"
    ]
    assert [(one.persons, one.epoch) for one in passed] == [(["shop\x1fann"], 8)]


async def test_a_transition_withdrawn_and_said_again_in_one_unit_holds() -> None:
    """The journey before the login goes to the owner, and a hit with a user puts the same transition in its place."""
    world = World()
    hop = Journeys(world.context, MODELS)
    mine = msgspec.msgpack.decode(evidence("page_view", person="ann"), type=EvidenceBatch)
    before = msgspec.structs.replace(mine, known=b"\0")
    await hop.handle(batch("evidence", [msgspec.msgpack.encode(before)]))
    world.sent.clear()
    owners = only_owners([("shop\x1fann", [NOON], ["bob"])])
    await hop.handle(batch("evidence", [msgspec.msgpack.encode(one) for one in (owners, mine)], first=1))
    newest = {(row["model"], row["time"], row["ordinal"]): row for row in sent_rows(world)}
    assert newest
    assert not any(row["withdrawn"] for row in newest.values()), "of one version, the last row holds"


async def test_what_cannot_be_read_commits_nothing() -> None:
    world = World()
    with pytest.raises(msgspec.DecodeError):
        await Journeys(world.context, MODELS).handle(batch("evidence", [b"\xc1"]))
    assert world.effects == []
