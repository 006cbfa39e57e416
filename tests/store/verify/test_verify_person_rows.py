"""Each row of the view ``persons`` follows from the stored hits, and one that does not is named with what is wrong."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from pipeline.core.models import Models, load
from pipeline.store.blocks import to_arrow
from pipeline.store.checks import Rules
from pipeline.store.client import Client, rows
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from pipeline.store.verify import HITS_AT_ONCE, Difference, verify
from pipeline.store.verify_person_rows import person_row_check
from pipeline.store.verify_signals import SignalSources, signal_check
from pipeline.store.verify_transitions import transition_check
from schemas.person import LinkRow
from schemas.session import Session
from schemas.signal import Signal
from schemas.transition import Kind, Transition
from store.kit import DAY_0, MINUTE, Row, hit, hit_table, sessions_of

DAY = 24 * 60 * MINUTE
STEPS = """
name = "steps"
labels = { en = "S", fa = "ف", ar = "ع" }
description = "two stages"
[[stage]]
id = "seen"
labels = { en = "1", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "view"
event = ["page_view"]
[[stage]]
id = "bought"
labels = { en = "2", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "order"
event = ["purchase"]
"""
MODELS: Models = load({"steps.toml": STEPS})

# A tablet that ann and bob share: what was before either of them belongs to ann.
HITS = [
    hit(0, "tablet"),
    hit(DAY, "tablet", user_id="ann", person_id="ann"),
    hit(2 * DAY, "tablet", event="purchase", goal=True, revenue_micros=2_500_000),
    hit(3 * DAY, "tablet", user_id="bob", person_id="bob"),
    hit(4 * DAY, "tablet", event="payment_failed", outcome="background", order_id="o"),
    hit(4 * DAY, "", user_id="bob", person_id="bob", event="purchase", outcome="late", revenue_micros=1),
    hit(5 * DAY, "eve", outcome="bot"),
    hit(5 * DAY, "new", event="click"),
]
LINK = LinkRow("shop", "tablet", ["ann", "bob"], [DAY_0 + DAY, DAY_0 + 3 * DAY], 1)
FAILED = '{"event":"payment_failed","what":"o"}'
SIGNAL = Signal("shop", "bob", "payment", 0.12, "raised", DAY_0 + 4 * DAY, 0, FAILED, False, 1)


SESSIONS = sessions_of(HITS, Rules())


def step(person: str, cause: Row, before: Row | None = None) -> Transition:
    """From nowhere into a stage, or from it to the next."""
    kind, stages = (Kind.ADVANCE, ("seen", "bought")) if before else (Kind.ENTER, ("", "seen"))
    dwell = cause["event_time"] - before["event_time"] if before else 0
    words = (cause["event"], cause["url"], cause["channel"], cause["session_id"])
    return Transition(
        "shop",
        person,
        "steps",
        *stages,
        kind,
        cause["event_time"],
        int(before is not None),
        dwell,
        *words,
        False,
        1,
    )


CHECK = person_row_check(SignalSources(), MODELS)
TRANSITIONS = [
    step("ann", HITS[0]),
    step("ann", HITS[2], before=HITS[0]),
    step("bob", HITS[3]),
    step("bob", HITS[5], before=HITS[3]),
]


def store(
    client: Client,
    sink: Sink,
    *,
    sessions: Iterable[Session] = SESSIONS,
    links: Iterable[LinkRow] = (LINK,),
    signals: Iterable[Signal] = (SIGNAL,),
    transitions: Iterable[Transition] = TRANSITIONS,
    hits: Iterable[Row] = HITS,
) -> list[Difference]:
    """What the check says of a store with these rows."""
    sink.insert("hits", hit_table(hits), "hits")
    for table, said in (
        ("sessions", sessions),
        ("links", links),
        ("signals", signals),
        ("transitions", transitions),
    ):
        sink.insert(table, to_arrow(table, list(said)), table)
    set_stages(client, {"steps": ["seen", "bought"]}, {"steps": 90})
    return verify(client, Rules(), [CHECK])["persons"]


def with_what_it_builds_on(
    client: Client, *, hits_at_once: int = HITS_AT_ONCE
) -> dict[str, list[Difference]]:
    """Only then may the check believe transitions and signals."""
    before = [transition_check(MODELS), signal_check(SignalSources())]
    return verify(client, Rules(), [*before, CHECK], hits_at_once=hits_at_once)


def test_stream_equals_batch(client: Client, sink: Sink) -> None:
    assert store(client, sink) == []
    ann, bob, new = rows(client, "SELECT * FROM persons ORDER BY person_id")
    assert (ann["person_id"], ann["sessions"], ann["orders"], ann["revenue"]) == ("ann", 3, 1, 2.5)
    assert (bob["person_id"], bob["sessions"], bob["orders"], bob["revenue"]) == ("bob", 1, 1, 0)
    assert (new["person_id"], new["sessions"], new["stages"]) == ("new", 1, {})
    assert (ann["stages"], ann["churn_reasons"]) == ({"steps": "bought"}, [])
    assert (bob["visitor_ids"], bob["churn_reasons"]) == (["tablet"], ["payment"])


def test_only_a_session_that_may_be_open_may_lack_its_row(client: Client, sink: Sink) -> None:
    made = sorted(SESSIONS, key=lambda one: one.start_time)
    assert [one.person_id for one in made[-2:]] == ["bob", "new"]
    (found,) = store(client, sink, sessions=made[:-2])
    assert found.key == {"site": "shop", "person_id": "bob"}
    assert (found.stream, found.batch) == ({"sessions": 0}, {"sessions": 1})


def changed(one: Any, **values: Any) -> Any:
    return msgspec.structs.replace(one, **values)


SEEN, BOUGHT = {"steps": "seen"}, {"steps": "bought"}
TAMPERED: dict[str, tuple[dict[str, Any], dict[str, dict[str, tuple[Any, Any]]]]] = {
    "a link of another time": (  # the order would be bob's, if it was true
        {"links": [changed(LINK, since=[DAY_0 + DAY, DAY_0 + 2 * DAY])]},
        {
            "ann": {
                "last_seen": (DAY_0 + DAY, DAY_0 + 2 * DAY), "sessions": (2, 3), "orders": (0, 1),
                "revenue": (0, 2.5), "stages": (BOUGHT, SEEN), "highest_stages": (BOUGHT, SEEN),
            },
            "bob": {
                "first_seen": (DAY_0 + 2 * DAY, DAY_0 + 3 * DAY), "sessions": (2, 1), "orders": (2, 1),
                "revenue": (2.5, 0),
            },
        },
    ),
    "a signal that is cleared": (
        {"signals": [changed(SIGNAL, state="cleared")]},
        {"bob": {"churn_score": (0, 0.12), "churn_reasons": ([], ["payment"])}},
    ),
    "a stage never reached": (
        {"transitions": TRANSITIONS[:-1]},
        {"bob": {"stages": (SEEN, BOUGHT), "highest_stages": (SEEN, BOUGHT)}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows_of", "expected"), TAMPERED.values(), ids=TAMPERED)
def test_a_row_that_was_tampered_with_is_named(
    client: Client, sink: Sink, rows_of: dict[str, Any], expected: dict[str, dict[str, tuple[Any, Any]]]
) -> None:
    found = {one.key["person_id"]: one for one in store(client, sink, **rows_of)}
    assert found.keys() == expected.keys()
    for person, fields in expected.items():
        assert found[person].stream == {name: said for name, (said, _) in fields.items()}
        assert found[person].batch == {name: right for name, (_, right) in fields.items()}


@pytest.mark.parametrize("hits_at_once", [HITS_AT_ONCE, 5])
def test_what_builds_on_other_checks_says_the_same(client: Client, sink: Sink, hits_at_once: int) -> None:
    """Whether it believes them, as it may where they agree, or not; and in parts."""
    strayed = [*HITS[:-1], HITS[-1] | {"user_id": "new", "person_id": "who"}]
    assert [one.key["person_id"] for one in store(client, sink, hits=strayed)] == ["new", "who"]
    found = with_what_it_builds_on(client, hits_at_once=hits_at_once)
    assert not found["transitions.steps"] + found["signals"]
    assert [(one.key["person_id"], one.stream is None) for one in found["persons"]] == [
        ("new", True),
        ("who", False),
    ]


def test_what_builds_on_a_check_that_differs_does_not_believe_it(client: Client, sink: Sink) -> None:
    store(client, sink, transitions=TRANSITIONS[:-1], signals=[changed(SIGNAL, state="cleared")])
    found = with_what_it_builds_on(client)
    assert (len(found["transitions.steps"]), len(found["signals"])) == (1, 1)
    (bob,) = found["persons"]
    assert bob.stream == {"stages": SEEN, "highest_stages": SEEN, "churn_score": 0, "churn_reasons": []}
