"""For any set of evidence, in any order, any batches and with restarts, the live transitions are the
oracle's.
"""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_kit import DAY, NOON, Person, live, model_text, oracle, summed

from pipeline.core.journeys import Journey, apply, current_stages, highest_stages
from pipeline.core.models import Models, load
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
    session = draw(st.sampled_from(["", "f" * 32, "0123456789abcdef0123456789ABCDEF"]))
    score = draw(st.none() | st.floats(0, 10))
    channel = draw(st.sampled_from(["direct", "email", "not in the list"]))
    return PERSON.did(draw(events), draw(urls), draw(times), channel, session_id=session, score=score)


some_evidence = st.lists(evidence().filter(lambda e: e.rules != ()), min_size=1, max_size=40)


def run(
    batches: list[list[Evidence]], models: Models = MODELS
) -> tuple[Journey, list[Transition], list[TransitionFact]]:
    journey, said, facts = None, [], []
    for version, batch in enumerate(batches):
        journey, transitions, changes = apply(models, journey, "s", "p", batch, version)
        journey = msgspec.msgpack.decode(msgspec.msgpack.encode(journey), type=Journey)
        said += transitions
        facts += changes
    assert journey is not None
    return journey, said, facts


@given(some_evidence, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_order_and_batching_gives_what_the_oracle_says(
    items: list[Evidence], dice: random.Random
) -> None:
    expected = oracle(MODELS, "s", "p", items)
    dice.shuffle(items)
    batches, rest = [], items
    while rest:
        size = dice.randint(1, len(rest))
        batches.append(rest[:size])
        rest = rest[size:]
    journey, said, facts = run(batches)
    assert live(said) == expected
    counted: dict[tuple[object, ...], int] = {}
    for row in expected:
        key = (row[0], row[2], row[3], row[4])
        counted[key] = counted.get(key, 0) + 1
    assert summed(facts) == counted
    order = {model.name: [stage.id for stage in model.stage] for model in MODELS.models}
    latest = {row[2]: row[4] for row in sorted(expected, key=lambda row: int(str(row[7])))}
    assert current_stages(MODELS, journey) == latest
    assert highest_stages(MODELS, journey) == {
        name: max((str(row[4]) for row in expected if row[2] == name), key=order[name].index)
        for name in map(str, latest)
    }
    assert (journey.state.first, journey.state.last) == (
        min(e.time for e in items),
        max(e.time for e in items),
    )


@given(some_evidence, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_state_after_any_order_is_the_state_of_the_sorted(items: list[Evidence], dice: random.Random) -> None:
    shuffled = [[one] for one in items]
    dice.shuffle(shuffled)
    assert run(shuffled)[0].state == run([items])[0].state
