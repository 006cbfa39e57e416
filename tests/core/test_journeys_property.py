"""For any set of evidence, in any order, any batches and with restarts, the live transitions are the
oracle's.
"""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from journey_kit import DAY, NOON, Partition, Person, live, message, model_text, oracle, summed

from pipeline.core.models import load
from pipeline.core.stage_fold import State
from pipeline.model_files import builtin_texts
from schemas.evidence import Evidence
from schemas.transition import Transition, TransitionFact

ODD = model_text(
    'one\nname = "blog"\nevent = ["page_view"]\nurl = ["/blog*"]\n'
    'name = "any"\nurl = ["*", "/help"]\nfallback = true\nback = false',
    'two\nname = "keen"\nevent = ["page_view"]\nurl = ["/p*"]\ncount = { min = 3, days = 1 }\n'
    'name = "days"\nevent = ["login"]\nsince = { of = "previous", min_days = 1, max_days = 2 }',
    'three\nname = "order"\nevent = ["purchase"]\norders = { min = 2, max = 3 }\nurl = ["/done"]',
    'four\nname = "later"\nevent = ["search"]\nsince = { of = "order", max_days = 3 }\nback = true\n'
    'name = "first"\nevent = ["share"]\nsince = { of = "first", min_days = 2 }\n'
    "count = { min = 2, days = 2 }",
    name="odd",
    head='backward = "always"',
)
MODELS = load({**builtin_texts(), "odd.toml": ODD})
PERSON = Person(MODELS)

times = st.integers(0, 12).map(lambda n: NOON + n * DAY // 2) | st.integers(0, 6 * DAY).map(
    lambda ms: NOON + ms
)
events = st.sampled_from(
    [
        "page_view",
        "page_view",
        "view_item",
        "purchase",
        "purchase",
        "login",
        "search",
        "share",
        "review_submit",
        "refund",
    ]
)
urls = st.sampled_from(
    ["", "/", "https://a.example/blog/x", "https://a.example/p?q", "https://b.example/done", "/help"]
)


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    session = draw(st.sampled_from(["", "f" * 32, "0123456789abcdef" * 2]))
    channel = draw(st.sampled_from(["direct", "email", "not in the list"]))
    return PERSON.did(draw(events), draw(urls), draw(times), channel, session_id=session)


people = st.sampled_from(["p", "p", "p", "q", "r"])
some_evidence = st.lists(
    st.tuples(people, evidence().filter(lambda e: e.rules != ())), min_size=1, max_size=40
)
Item = tuple[str, Evidence]


def run(batches: list[list[Item]]) -> tuple[Partition, list[Transition], list[TransitionFact]]:
    """Each batch a unit of work, with a message a person."""
    partition, said, facts = Partition(MODELS), list[Transition](), list[TransitionFact]()
    for batch in batches:
        of_person: dict[str, list[Evidence]] = {}
        for person, one in batch:
            of_person.setdefault(person, []).append(one)
        messages = [message(f"s\x1f{person}", found) for person, found in of_person.items()]
        transitions, changes = partition.take(*messages)
        said += transitions
        facts += changes
    return partition, said, facts


def expected_of(items: list[Item]) -> dict[str, set[tuple[object, ...]]]:
    """Per person, what the oracle says."""
    persons = sorted({person for person, _ in items})
    return {p: oracle(MODELS, "s", p, [one for person, one in items if person == p]) for p in persons}


def in_batches(items: list[Item], dice: random.Random) -> list[list[Item]]:
    batches, rest = [], items
    while rest:
        size = dice.randint(1, len(rest))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


@given(some_evidence, st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_order_and_batching_gives_what_the_oracle_says(
    items: list[Item], dice: random.Random, in_order: bool
) -> None:
    expected = expected_of(items)
    if in_order:
        items.sort(key=lambda item: item[1].time)
    else:
        dice.shuffle(items)
    partition, said, facts = run(in_batches(items, dice))
    assert live(said) == set().union(*expected.values())
    counted = Counter((row[0], row[2], row[3], row[4]) for rows in expected.values() for row in rows)
    assert summed(facts) == counted
    for person, rows in expected.items():
        latest = {row[2]: row[4] for row in sorted(rows, key=lambda row: int(str(row[7])))}
        assert partition.stages(f"s\x1f{person}") == latest


@given(some_evidence, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_state_after_any_order_is_the_state_of_the_sorted(items: list[Item], dice: random.Random) -> None:
    shuffled = [[one] for one in items]
    dice.shuffle(shuffled)
    ordered = sorted(items, key=lambda item: item[1].time)
    assert states(run(shuffled)[0]) == states(run([ordered])[0])


def states(partition: Partition) -> dict[str, tuple[State, list[Evidence]]]:
    """Per person, all that is kept."""
    table = partition.core._table
    return {key: (table.state(slot), table.history(slot)) for key, slot in table.slot_of.items()}
