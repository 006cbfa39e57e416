"""The journeys' fold by examples: each rule of moving, each boundary, and what late evidence corrects."""

from datetime import UTC, datetime

import pytest
from journey_kit import DAY, NOON, Partition, Person, live, message, model_text, oracle, summed

from pipeline.core import journeys
from pipeline.core.models import Models, load
from pipeline.model_files import builtin_texts
from schemas.evidence import Evidence
from schemas.transition import Transition, TransitionFact

SESSION = "0123456789abcdef" * 2
SEEN = 'seen\nname = "seen"\nevent = ["see"]'
TRIED = 'tried\nname = "tried"\nevent = ["try"]'
BOUGHT = 'bought\nname = "bought"\nevent = ["purchase"]'


@pytest.fixture(scope="module")
def builtin() -> Models:
    return load(builtin_texts())


def tiny(*stages: str, head: str = 'backward = "always"') -> Person:
    return Person(load({"tiny.toml": model_text(*stages, head=head)}))


def take(
    models: Models, *batches: list[Evidence]
) -> tuple[Partition, list[Transition], list[TransitionFact]]:
    """All batches, one after the other, with a restart in between."""
    partition, said, facts = Partition(models), list[Transition](), list[TransitionFact]()
    for batch in batches:
        transitions, changes = partition.take(message("shop\x1fann", batch))
        said += transitions
        facts += changes
    return partition, said, facts


def way(said: list[Transition], model: str = "tiny") -> list[str]:
    """The live transitions of a model in order: ``+to`` for a step on, ``-to`` for one back."""
    rows = sorted((row for row in live(said) if row[2] == model), key=lambda row: row[7])
    return [("-" if row[5] == "regress" else "+") + str(row[4]) for row in rows]


def test_first_evidence_enters_at_its_stage_and_may_skip_stages() -> None:
    person = tiny(SEEN, TRIED, BOUGHT)
    journey, said, facts = take(
        person.models, [person.did("try", "https://a.example/x", NOON, "email", session_id=SESSION)]
    )
    assert said == [
        Transition(
            "shop", "ann", "tiny", "", "tried", "enter", NOON, 0, 0,
            "try", "https://a.example/x", "email", SESSION, False, 0,
        )
    ]  # fmt: skip
    assert facts == [TransitionFact("shop", "tiny", "", "tried", 1)]
    assert journey.stages("shop\x1fann") == {"tiny": "tried"}


def test_dwell_is_the_time_since_the_stage_was_entered_not_since_the_last_evidence() -> None:
    person = tiny(SEEN, TRIED)
    _, said, _ = take(
        person.models,
        [person.did("see", time=NOON), person.did("see", time=NOON + 5), person.did("try", time=NOON + 9)],
    )
    assert [(t.kind, t.dwell_ms, t.ordinal) for t in said] == [("enter", 0, 0), ("advance", 9, 1)]


def test_lower_stage_moves_back_when_the_model_says_so() -> None:
    person = tiny(SEEN, TRIED)
    journey, said, _ = take(person.models, [person.did("try"), person.did("see")])
    assert way(said) == ["+tried", "-seen"]
    assert journey.stages("shop\x1fann") == {"tiny": "seen"}


@pytest.mark.parametrize(
    ("head", "override", "expected"),
    [
        ("", "", ["+tried"]),
        ('backward = "never"', "", ["+tried"]),
        ('backward = "never"', "\nback = true", ["+tried", "-seen"]),
        ('backward = "always"', "\nback = false", ["+tried"]),
        ('backward = "always"', "", ["+tried", "-seen"]),
    ],
)
def test_who_decides_on_going_back(head: str, override: str, expected: list[str]) -> None:
    person = tiny(SEEN + override, TRIED, head=head)
    _, said, _ = take(person.models, [person.did("try"), person.did("see")])
    assert way(said) == expected


@pytest.mark.parametrize("backs", [("true", "false"), ("false", "true")])
def test_one_rule_that_may_move_back_is_enough(backs: tuple[str, str]) -> None:
    rules = "\n".join(f'name = "r{n}"\nevent = ["see"]\nback = {back}' for n, back in enumerate(backs))
    person = tiny(f"seen\n{rules}", TRIED, head="")
    assert way(take(person.models, [person.did("try"), person.did("see")])[1]) == ["+tried", "-seen"]


def test_orders_count_this_one() -> None:
    person = tiny(
        BOUGHT + "\norders = { max = 1 }", 'loyal\nname = "again"\nevent = ["purchase"]\norders = { min = 2 }'
    )
    assert way(take(person.models, [person.did("purchase")])[1]) == ["+bought"]
    assert way(take(person.models, [person.did("purchase"), person.did("purchase")])[1]) == [
        "+bought",
        "+loyal",
    ]


def test_orders_above_the_maximum_do_not_count() -> None:
    second = 'second\nname = "second"\nevent = ["purchase"]\norders = { min = 2, max = 2 }'
    person = tiny(SEEN, second)
    story = [person.did(event) for event in ("purchase", "purchase", "see", "purchase", "purchase")]
    assert way(take(person.models, story)[1]) == ["+second", "-seen"]


def test_orders_without_a_maximum_hold_for_every_later_order() -> None:
    person = tiny(SEEN, 'loyal\nname = "again"\nevent = ["purchase", "x"]\norders = { min = 2 }')
    story = [person.did("purchase") for _ in range(5)] + [person.did("see"), person.did("x")]
    assert way(take(person.models, story)[1]) == ["+loyal", "-seen", "+loyal"]


@pytest.mark.parametrize(("gap", "holds"), [(7 * DAY, True), (7 * DAY + 1, False)])
def test_count_within_exactly_its_days(gap: int, holds: bool) -> None:
    person = tiny(SEEN, 'keen\nname = "keen"\nevent = ["look"]\ncount = { min = 3, days = 7 }')
    story = [
        person.did("look", time=NOON),
        person.did("look", time=NOON + 1),
        person.did("look", time=NOON + gap),
    ]
    assert way(take(person.models, story)[1]) == (["+keen"] if holds else [])


def test_count_looks_at_the_newest_matches() -> None:
    person = tiny(SEEN, 'keen\nname = "keen"\nevent = ["look"]\ncount = { min = 3, days = 1 }')
    story = [person.did("look", time=NOON + n * DAY) for n in (0, 3, 6, 6, 7)]
    assert way(take(person.models, story[:4])[1]) == []
    assert way(take(person.models, story)[1]) == ["+keen"]


def test_count_with_since_order_counts_what_was_before_the_order() -> None:
    rule = 'name = "keen"\nevent = ["look"]\ncount = { min = 3, days = 7 }\nsince = { of = "order" }'
    person = tiny(BOUGHT, f"keen\n{rule}")
    story = [person.did(event) for event in ("look", "look", "purchase", "look")]
    assert way(take(person.models, story)[1]) == ["+bought", "+keen"]


def test_count_needs_that_many_and_equal_evidence_twice_counts_twice() -> None:
    person = tiny(SEEN, 'keen\nname = "keen"\nevent = ["look"]\ncount = { min = 2, days = 7 }')
    look = person.did("look", time=NOON)
    assert way(take(person.models, [look])[1]) == []
    assert way(take(person.models, [look], [look])[1]) == ["+keen"]


@pytest.mark.parametrize(
    ("of", "elapsed", "holds"),
    [
        ("order", DAY - 1, False),
        ("order", DAY, True),
        ("order", 3 * DAY, True),
        ("order", 3 * DAY + 1, False),
        ("previous", DAY - 1, False),
        ("previous", DAY, True),
        ("first", 2 * DAY, True),
    ],
)
def test_since_holds_from_its_least_to_its_most_days(of: str, elapsed: int, holds: bool) -> None:
    rule = f'back\nname = "back"\nevent = ["login"]\nsince = {{ of = "{of}", min_days = 1, max_days = 3 }}'
    person = tiny(BOUGHT, rule)
    story = [person.did("purchase", time=NOON), person.did("login", time=NOON + elapsed)]
    assert way(take(person.models, story)[1]) == (["+bought", "+back"] if holds else ["+bought"])


@pytest.mark.parametrize("of", ["order", "previous", "first"])
def test_since_does_not_hold_without_anything_before(of: str) -> None:
    person = tiny(SEEN, f'back\nname = "back"\nevent = ["purchase"]\nsince = {{ of = "{of}" }}')
    assert way(take(person.models, [person.did("purchase")])[1]) == []


def test_since_first_and_since_previous_look_at_different_evidence() -> None:
    rule = 'back\nname = "back"\nevent = ["see"]\nfallback = true\nsince = { of = "%s", min_days = 2 }'
    days = [NOON, NOON + DAY, NOON + 2 * DAY]
    for of, expected in (("first", ["+back"]), ("previous", [])):
        person = tiny(TRIED, rule % of)
        assert way(take(person.models, [person.did("see", time=day) for day in days])[1]) == expected


def test_fallback_speaks_only_when_no_other_rule_holds_in_the_end() -> None:
    fallback = 'seen\nname = "any"\nevent = ["see"]\nfallback = true'
    person = tiny(fallback, 'keen\nname = "keen"\nevent = ["see"]\ncount = { min = 2, days = 1 }')
    assert way(take(person.models, [person.did("see"), person.did("see")])[1]) == ["+seen", "+keen"]


def test_fallback_gives_way_also_to_a_lower_stage() -> None:
    first = 'new\nname = "new"\nevent = ["see"]\norders = { max = 0 }'
    person = tiny(first, 'seen\nname = "any"\nevent = ["see", "purchase"]\nfallback = true')
    assert way(take(person.models, [person.did("see"), person.did("purchase")])[1]) == ["+new", "+seen"]


def test_late_evidence_withdraws_what_no_longer_holds() -> None:
    person = tiny(SEEN, TRIED, BOUGHT)
    story = [person.did("try", time=NOON + 1_000), person.did("purchase", time=NOON + 2_000)]
    late = person.did("purchase", time=NOON)
    _, said, facts = take(person.models, story, [late])
    assert way(said) == ["+bought", "-tried", "+bought"]
    assert live(said) == oracle(person.models, "shop", "ann", [*story, late])
    withdrawn = [(t.from_stage, t.to_stage, t.time, t.ordinal) for t in said if t.withdrawn]
    assert withdrawn == [("", "tried", NOON + 1_000, 0), ("tried", "bought", NOON + 2_000, 1)]
    assert summed(facts) == {
        ("shop", "tiny", "", "bought"): 1,
        ("shop", "tiny", "bought", "tried"): 1,
        ("shop", "tiny", "tried", "bought"): 1,
    }


def test_a_correction_that_changes_only_the_dwell_time_changes_no_fact() -> None:
    person = tiny(SEEN, TRIED)
    story = [person.did("see", time=NOON), person.did("try", time=NOON + 5_000)]
    _, said, facts = take(person.models, story, [person.did("see", time=NOON - 1_000)])
    corrected = [t for t in said if t.version == 1 and t.time == NOON + 5_000]
    assert [(t.dwell_ms, t.withdrawn) for t in corrected] == [(6_000, False)]
    assert TransitionFact("shop", "tiny", "seen", "tried") in facts


def test_late_evidence_that_changes_nothing_says_nothing() -> None:
    person = tiny(SEEN, TRIED)
    _, said, facts = take(
        person.models, [person.did("see", time=NOON + 9)], [person.did("see", time=NOON + 9)]
    )
    assert (len(said), len(facts)) == (1, 1)


def test_evidence_of_the_same_millisecond_is_ordered_by_value_not_by_arrival() -> None:
    person = tiny(SEEN, TRIED)
    pair = [person.did("see", time=NOON), person.did("try", time=NOON)]
    ways = {
        tuple(way(take(person.models, *batches)[1]))
        for batches in ([pair], [pair[:1], pair[1:]], [pair[1:], pair[:1]])
    }
    assert len(ways) == 1


def test_the_chain_gives_back_what_was_put_in(builtin: Models) -> None:
    person = Person(builtin)
    story = [
        person.did("page_view", f"/p/{n % 60}", session_id=["", "f" * 32, SESSION][n % 3]) for n in range(100)
    ]
    late = person.did("purchase", time=NOON - 1)
    partition, said, _ = take(builtin, story[:50], story[50:], [late])
    assert live(said) == oracle(builtin, "shop", "ann", [late, *story])
    table, slot = partition.table()
    assert table.history(slot) == [late, *story]
    assert table.persons["size"][slot] == len(table.evidence) == 101


def test_messages_of_one_unit_are_taken_together(builtin: Models) -> None:
    person = Person(builtin)
    story = [person.did("page_view", "/"), person.did("view_item", "/product/7"), person.did("purchase")]
    partition = Partition(builtin)
    said, _ = partition.take(*(message("shop\x1fann", [one]) for one in reversed(story)))
    assert live(said) == oracle(builtin, "shop", "ann", story)


def test_beyond_its_limit_a_journey_forgets_evidence_but_not_the_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journeys, "MAX_EVIDENCE", 10)
    count = 'keen\nname = "keen"\nevent = ["look"]\ncount = { min = 9, days = 1 }'
    person = tiny(SEEN, count, BOUGHT + "\norders = { min = 3 }")
    story = [person.did("see"), *(person.did(event) for event in ["look", "see", "purchase"] * 9)]
    journey, said, _ = take(person.models, *([one] for one in story))
    assert live(said) == oracle(person.models, "shop", "ann", story)
    table, slot = journey.table()
    assert table.persons["size"][slot] == len(table.evidence) <= 10
    assert table.state(slot).orders == 9


def test_evidence_before_the_checkpoint_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "MAX_EVIDENCE", 4)
    person = tiny(SEEN, TRIED)
    story = [person.did("see", time=NOON + n) for n in range(5)]
    for time, missed in ((NOON + 2, 1), (NOON + 3, 0)):
        partition, _, _ = take(person.models, story)
        table, slot = partition.table()
        checkpoint = table.checkpoint(slot)
        assert checkpoint is not None
        assert checkpoint.last == NOON + 2
        more, _ = partition.take(message("shop\x1fann", [person.did("try", time=time)]))
        assert partition.missed == missed
        assert bool(more) is not bool(missed)


def test_all_models_move_at_once(builtin: Models) -> None:
    person = Person(builtin)
    day = datetime(2026, 3, 1, 9, tzinfo=UTC)
    start = round(day.timestamp() * 1000)
    story = [
        person.did("page_view", "https://shop.example/", start),
        person.did("view_item", "https://shop.example/product/7", start + 60_000),
        person.did("add_to_cart", "https://shop.example/product/7", start + 120_000),
        person.did("generate_lead", "https://shop.example/newsletter", start + 150_000),
        person.did("purchase", "https://shop.example/checkout/done", start + 180_000),
        person.did("survey_response", "", start + DAY, score=9.0, props=b'{"metric":"csat"}'),
        person.did("login", "https://shop.example/account", start + 2 * DAY),
        person.did("purchase", "https://shop.example/checkout/done", start + 9 * DAY),
        person.did("review_submit", "https://shop.example/product/7", start + 10 * DAY),
        person.did("referral_sent", "https://shop.example/invite", start + 11 * DAY),
    ]
    _, said, _ = take(builtin, story)
    assert way(said, "classic5") == ["+awareness", "+consideration", "+purchase", "+retention", "+advocacy"]
    assert way(said, "digital8") == [
        "+awareness", "+engagement", "+subscription", "+conversion", "+excitement", "+ascension", "+advocate",
        "+promoter",
    ]  # fmt: skip
    assert way(said, "funnel4") == ["+awareness", "+interest", "+consideration", "+action"]
    assert way(said, "buyer3") == ["+awareness", "+consideration", "+decision", "-consideration", "+decision"]
    assert way(said, "loyalty5") == ["+awareness", "+evaluation", "+purchase", "+experience", "+loyalty"]
