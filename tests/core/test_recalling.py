"""A history made anew where the older hits are gone: what journeys remember of them takes their place."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_kit import DAY, NOON, live, model_text, transitions_of
from test_remaking import MODELS, NOTHING, NOW, OWNERS, PARTITIONS, Hit, columns, expected, hits

from pipeline.core.homes import AWAY
from pipeline.core.ids import partition_of
from pipeline.core.journeys import Clock
from pipeline.core.models import Models, load
from pipeline.core.recalling import Recalling, Remembered
from pipeline.core.remaking import Kept, Remaking, evidence_of
from pipeline.core.stage_fold import State
from schemas.evidence import Evidence
from schemas.transition import Transition

PAGES = 'one\nname = "any"\nevent = ["page_view"]\nfallback = true'
ORDERS = 'two\nname = "order"\nevent = ["purchase", "share", "survey_response", "scroll"]'
SAME = model_text(PAGES, ORDERS, name="same", head="lapse_days = 20")
WIDE = load({"wide.toml": model_text(PAGES, ORDERS, name="wide"), "same.toml": SAME})
NARROW = load({
    "wide.toml": model_text(
        PAGES, 'other\nname = "p"\nevent = ["page_view"]\nurl = ["/p*"]', 'two\nname = "bought"\nevent = ["purchase"]',
        name="wide",
    ),
    "same.toml": SAME,
})  # fmt: skip


def remade(
    models: Models, some: Sequence[Hit], remembered: dict[int, dict[str, Remembered]]
) -> tuple[Remaking, list[Transition]]:
    kept = {
        partition: Kept(
            {key: who for key, who in OWNERS.items() if partition_of(key, PARTITIONS) == partition},
            Clock(sources={0: NOW}),
            remembered.get(partition, {}),
        )
        for partition in range(PARTITIONS)
    }
    remaking = Remaking(models, kept, PARTITIONS)
    said = remaking.recall()
    for output in (*remaking.take(evidence_of(models, columns(some))), *remaking.finish()):
        said += transitions_of(output)
    return remaking, said


def remembered_by(
    before: Models, after: Models, some: Sequence[Hit], until: int
) -> dict[int, dict[str, Remembered]]:
    """What journeys that have had all hits remember of those before."""
    remaking, _ = remade(before, some, {})
    recalling = Recalling(after, before.digests, until)
    return {at: recalling.recall(core.silent.histories()) for at, core in remaking.journeys.items()}


@given(st.lists(hits, max_size=25), st.integers(0, 42).map(lambda days: NOON + days * DAY))
@settings(max_examples=150, deadline=None)
def test_by_the_same_models_nothing_is_lost(some: list[Hit], until: int) -> None:
    remembered = remembered_by(MODELS, MODELS, some, until)
    _, said = remade(MODELS, [hit for hit in some if hit["time"] >= until], remembered)
    assert live(said) == expected(some)


@given(st.lists(hits, max_size=25), st.integers(0, 42).map(lambda days: NOON + days * DAY))
@settings(max_examples=150, deadline=None)
def test_what_some_model_had_looked_at_is_matched_by_the_new_ones(some: list[Hit], until: int) -> None:
    """Rules that look at event, url and channel."""
    remembered = remembered_by(WIDE, NARROW, some, until)
    _, said = remade(NARROW, [hit for hit in some if hit["time"] >= until], remembered)
    assert live(said) == live(remade(NARROW, some, {})[1])


def recalled(
    before: Models, after: Models, *history: Evidence, checkpoint: State | None = None
) -> Remembered | None:
    recalling = Recalling(after, before.digests, NOON + 10 * DAY)
    return recalling.recall([("s\x1fann", list(history), checkpoint)]).get("s\x1fann")


def ids(models: Models, *names: str) -> tuple[int, ...]:
    return tuple(sorted(rule for rule, bound in models.rules.items() if bound.rule.name in names))


def test_what_evidence_does_not_tell_is_as_it_was_where_the_rule_has_its_name_still() -> None:
    texts = [
        model_text(PAGES, f'two\nname = "{name}"\nevent = ["share"]\nprops = {{ paid = true }}', name="m")
        for name in ("paid", "other")
    ]
    texts[0] += "back = true\n"
    before, same_name = (
        load({"m": texts[0]}),
        load({"m": texts[0].replace("back = true\n", "back = false\n")}),
    )
    piece = Evidence(NOON, ids(before, "paid"), "share", "", "direct", "")
    assert recalled(before, same_name, piece) == Remembered([piece])
    assert recalled(before, load({"m": texts[1]}), piece) is None, "nothing tells whether it was paid"


def test_a_fallback_does_not_speak_beside_a_rule_that_is_remembered() -> None:
    text = model_text(
        'one\nname = "any"\nevent = ["share"]\nfallback = true',
        'two\nname = "paid"\nevent = ["share"]\nprops = { paid = true }',
        name="m",
    )
    before, after = load({"m": text}), load({"m": text + "back = false\n"})
    piece = Evidence(NOON, ids(before, "paid"), "share", "", "direct", "")
    assert recalled(before, after, piece) == Remembered([piece])


def test_what_the_store_still_has_is_not_remembered() -> None:
    last, first = (
        Evidence(NOON + 10 * DAY + more, ids(WIDE, "any"), "page_view", "", "direct", "") for more in (-1, 0)
    )
    assert recalled(WIDE, WIDE, last, first) == Remembered([last])
    assert recalled(WIDE, WIDE, first) is None


def test_a_model_that_applies_to_other_sites_only_is_left_out() -> None:
    piece = Evidence(NOON, ids(WIDE, "any"), "page_view", "", "direct", "")
    texts = {"same.toml": SAME, "wide.toml": model_text(PAGES, ORDERS, name="wide")}
    found = recalled(WIDE, load(texts, {"s": {"same"}}), piece)
    assert found is not None
    assert [WIDE.rules[rule].model for rule in found.evidence[0].rules] == [0]


@pytest.mark.parametrize(("last", "since"), [(NOON, NOON + 1), (NOON + 10 * DAY, NOON + 10 * DAY)])
def test_what_was_folded_for_good_is_kept_in_the_models_that_are_the_same(last: int, since: int) -> None:
    folded = State(b"\2\1", (NOON, NOON), (3, 4), orders=7, last_order=5, first=1, last=last)
    found = recalled(WIDE, NARROW, checkpoint=folded)
    assert found is not None
    assert found.since == since
    if last == NOON:
        assert found.checkpoint == State(b"\2\0", (NOON, 0), (3, 0), 7, 5, 1, NOON)
    else:
        assert found == Remembered([], None, since), "it has what the store has, too"


def test_a_state_that_was_folded_for_good_is_where_the_person_goes_on() -> None:
    folded = State(b"\2\1", (NOON, NOON), (3, 4), orders=7, last_order=5, first=1, last=NOON)
    key = "s\x1fv2"
    one = {partition_of(key, PARTITIONS): {key: Remembered([], folded, NOON + 1)}}
    some = [order_at(NOON + DAY)]
    _, said = remade(WIDE, some, one)
    assert {(row[2], row[3], row[4], row[7]) for row in live(said)} >= {("wide", "one", "two", 4)}


def order_at(time: int) -> Hit:
    return NOTHING | {"time": time, "event": "purchase"}


def test_what_a_visitor_passed_on_stays_put_away() -> None:
    some = [order_at(NOON + 2 * DAY) | {"visitor_id": "v0"}]
    remembered = remembered_by(WIDE, WIDE, some, NOON + 10 * DAY)
    keys = {key for of_one in remembered.values() for key in of_one}
    assert keys == {f"{AWAY}s\x1fv0", "s\x1fann"}
