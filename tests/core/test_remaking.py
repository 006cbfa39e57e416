"""Stored hits in any order and slices, matched anew: the transitions are the oracle's, with links and silence."""

import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_kit import DAY, NOON, live, model_text, oracle, transitions_of

from pipeline.core.evidence import passed_on, without_evidence
from pipeline.core.ids import partition_of
from pipeline.core.journeys import Clock
from pipeline.core.models import load
from pipeline.core.persons.identity import Owners, owner_at
from pipeline.core.remaking import COLUMNS, Kept, Remaking, evidence_of
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition

MODELS = load({
    "odd.toml": model_text(
        'one\nname = "any"\nevent = ["page_view"]\nfallback = true',
        'two\nname = "page"\nevent = ["page_view"]\nurl = ["/p*"]\nname = "told"\nevent = ["survey_response"]\n'
        'score = { metric = "nps", min = 9, max = 10 }',
        'three\nname = "order"\nevent = ["purchase"]\ngoal = true\nname = "kind"\nevent = ["share"]\n'
        'props = { paid = true }\nback = true',
        name="odd",
        head="lapse_days = 20",
    )
})  # fmt: skip
PARTITIONS = 3
NOW = NOON + 60 * DAY
OWNERS: dict[str, Owners] = {
    "s\x1fv0": ((NOON + DAY,), ("ann",)),
    "s\x1fv1": ((NOON + DAY, NOON + 3 * DAY), ("ann", "bob")),
}
NOTHING: dict[str, Any] = {
    "site": "s", "user_id": "", "visitor_id": "v2", "time": NOON, "event": "page_view", "url": "", "channel": "direct",
    "goal": 0, "score": None, "scale": None, "props": "", "session_id": "",
}  # fmt: skip
Hit = dict[str, Any]

hits = st.builds(
    lambda **fields: {**NOTHING, **fields},
    user_id=st.sampled_from(["", "", "ann", "bob"]),
    visitor_id=st.sampled_from(["v0", "v1", "v2"]),
    time=st.integers(0, 80).map(lambda n: NOON + n * DAY // 2),
    event=st.sampled_from(["page_view", "page_view", "purchase", "share", "survey_response", "scroll"]),
    url=st.sampled_from(["", "https://a.example/p/1", "https://a.example/x"]),
    goal=st.integers(0, 1),
    score=st.sampled_from([None, 4.0, 5.0, 9.5]),
    scale=st.sampled_from([None, 5.0]),
    props=st.sampled_from(["", '{"metric":"nps"}', '{"paid":true}', '{"paid":1}']),
    session_id=st.sampled_from(["", "f" * 32]),
)


def columns(some: Sequence[Hit]) -> dict[str, list[Any]]:
    return {name: [hit[name] for hit in some] for name in COLUMNS}


def remade(slices: Sequence[Sequence[Hit]]) -> list[Transition]:
    kept = {}
    for partition in range(PARTITIONS):
        owners = {key: who for key, who in OWNERS.items() if partition_of(key, PARTITIONS) == partition}
        kept[partition] = Kept(owners, Clock(sources={0: NOW}))
    remaking = Remaking(MODELS, kept, PARTITIONS)
    said = []
    for some in slices:
        for output in remaking.take(evidence_of(MODELS, columns(some))):
            said += transitions_of(output)
    for output in remaking.finish():
        said += transitions_of(output)
    return said


def remade_apart(stored: Sequence[Hit], late: Sequence[Hit], dice: random.Random) -> list[Transition]:
    """Each partition by itself, one after the other; what comes for one before it is made anew waits."""
    waiting: list[deque[EvidenceBatch]] = [deque() for _ in range(PARTITIONS)]
    for one in late:
        for target, batch in evidence_of(MODELS, columns([one])).by_partition(0, PARTITIONS, None):
            waiting[target].append(batch)
    cores, said = {}, []
    for partition in dice.sample(range(PARTITIONS), PARTITIONS):
        owners = {key: who for key, who in OWNERS.items() if partition_of(key, PARTITIONS) == partition}
        remaking = Remaking(MODELS, {partition: Kept(owners, Clock(sources={0: NOW}))}, PARTITIONS)
        for output in (*remaking.take(evidence_of(MODELS, columns(stored))), *remaking.finish()):
            said += transitions_of(output)
        assert remaking.journeys.keys() == {partition}
        cores |= remaking.journeys
        for target, batch in passed_on(remaking.away, PARTITIONS):
            waiting[target].append(batch)
    while ready := [partition for partition in cores if waiting[partition]]:
        partition = dice.choice(ready)
        output = cores[partition].take([waiting[partition].popleft()], 0, 0)
        said += transitions_of(output)
        for target, batch in passed_on(output.passed, PARTITIONS):
            waiting[target].append(batch)
    return said


def person_of(hit: Hit) -> str:
    owner = owner_at(OWNERS.get(f"s\x1f{hit['visitor_id']}", ((), ())), hit["time"])
    return str(hit["user_id"] or owner or hit["visitor_id"])


def expected(some: Sequence[Hit]) -> set[tuple[object, ...]]:
    """By the definitions, one hit after the other."""
    of_person: dict[str, list[Evidence]] = {}
    for hit in some:
        mark = None
        if hit["props"] == '{"metric":"nps"}' and hit["score"] is not None:
            best = hit["scale"] or 10.0
            mark = hit["score"] * 10 / best if hit["score"] <= best else None
        fields = (hit["event"], hit["url"], hit["channel"])
        rules = MODELS.touchpoint(*fields, bool(hit["goal"]), mark, hit["props"].encode() or None)
        if rules:
            one = Evidence(hit["time"], rules, *fields, hit["session_id"])
            of_person.setdefault(person_of(hit), []).append(one)
    return set().union(*(oracle(MODELS, "s", who, found, NOW) for who, found in of_person.items()))


@given(st.lists(hits, max_size=25), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_order_and_any_slices_give_what_the_oracle_says(
    some: list[Hit], dice: random.Random, in_order: bool
) -> None:
    rest = sorted(some, key=lambda hit: int(hit["time"])) if in_order else dice.sample(some, len(some))
    slices = []
    while rest:
        size = dice.randint(1, len(rest))
        slices.append(rest[:size])
        rest = rest[size:]
    assert live(remade(slices)) == expected(some)


@given(st.lists(hits, max_size=20), st.lists(hits, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_partition_by_partition_with_late_hits_it_is_the_same(
    stored: list[Hit], late: list[Hit], dice: random.Random
) -> None:
    assert live(remade_apart(stored, late, dice)) == expected([*stored, *late])


def test_a_visitors_hits_count_for_the_owner_of_that_time_and_silence_ends_journeys() -> None:
    some = [
        NOTHING | {"visitor_id": "v1", "time": NOON + DAY, "url": "https://a.example/p/1"},
        NOTHING | {"visitor_id": "v1", "time": NOON + 4 * DAY},
    ]
    rows = {(row[1], row[4], row[5]) for row in live(remade([some]))}
    assert rows == {
        ("ann", "two", "enter"),
        ("ann", "", "lapse"),
        ("bob", "one", "enter"),
        ("bob", "", "lapse"),
    }


def test_what_is_left_of_a_message_without_its_evidence() -> None:
    owners = [("s\x1fv0", [NOON], ["ann"])]
    one = np.zeros(1, np.int32).tobytes()
    full = EvidenceBatch(
        2, ["s\x1fv0"], [((1,), "page_view", "direct")], [""], one, bytes(8), one, one, bytes(16),
        watermark=NOON, owners=owners,
    )  # fmt: skip
    left = without_evidence(full)
    assert (left.source, left.watermark, left.owners) == (2, NOON, owners)
    assert (left.persons, left.time) == ([], b"")
