"""The SQL of the signs of leaving agrees with the fold for any hits, and names each step that was tampered with."""

import random

import msgspec
import pytest

from pipeline.core.persons.fold import Items, Touches, change_items, let_time_pass
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.notable import CANCEL_URLS, Notables, Words, details
from pipeline.core.persons.signal_rules import END_DAYS, REASONS, REGRESS_MODELS, SignalRules, rules_of
from pipeline.core.persons.signals import BEFORE_ALL
from pipeline.store.blocks import to_arrow
from pipeline.store.checks import Rules
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.verify import Difference, verify
from pipeline.store.verify_signals import SignalSources, signal_check
from schemas.signal import Signal
from schemas.touchpoint import Touch
from schemas.transition import Kind, Transition
from store.kit import DAY_0, MINUTE, Row, hit, hit_table, sessions_of

HOUR = 60 * MINUTE
DAY = 24 * HOUR
RULES = Rules()
USUAL = SignalRules()
QUICK = rules_of(
    {
        "overdue_days": 1,
        "overdue_gaps": 2,
        "fading_visits": 5,
        "csat_low": 4.5,
        "tickets": 2,
        "ticket_hours": 12,
    },
    dict.fromkeys(REASONS, 0.1),
    dict(zip(END_DAYS, (9, 2, 3, 1, 2, 1, 2, 3), strict=True)),
)
PROPS = [
    '{"ticket_id":"a"}', '{"ticket_id":7}', '{"ticket_id":null}', '{"metric":"csat"}', '{"metric":"nps"}',
    '{"metric":"ces"}', '{"metric":"nps","ticket_id":[]}', '{"metric":7,"email_id":0,"message_id":"m","ticket_id":1.0}',
    '{"email_id":null,"message_id":5e3,"ticket_id":99999999999999999999}',
    '{"email_id":"m \\"é/1\\"","subscription_id":"s"}', "[]", "", "{",
]  # fmt: skip
EVENTS = (
    ["page_view"] * 10 + ["survey_response"] * 4 + ["support_ticket_open"] * 4 + ["support_ticket_close"] * 2
    + ["add_to_cart"] * 3 + ["begin_checkout", "purchase", "purchase", "subscribe", "complaint", "payment_failed"]
    + ["payment_failed", "subscription_renew", "subscription_cancel", "email_complaint", "email_unsubscribe", "click"]
)  # fmt: skip
URLS = ["", "/a", "https://a.example/cancel?x", "/my/unsubscribe/now", "/CANCEL"]
STEPS = [
    0,
    0,
    1,
    MINUTE,
    12 * MINUTE,
    25 * MINUTE,
    30 * MINUTE,
    HOUR,
    12 * HOUR,
    DAY,
    DAY + 1,
    2 * DAY,
    3 * DAY,
    7 * DAY,
    14 * DAY,
    40 * DAY,
]


def random_hits(seed: int, persons: int) -> list[Row]:
    """Few distinct values, so that times tie and timers fall due to the millisecond. Each has two devices."""
    dice = random.Random(seed)
    hits = []
    for number in range(persons):
        at, favourites = 0, [*dice.choices(EVENTS, k=4), "page_view"]
        steps = dice.choices(STEPS, k=5)
        for _ in range(dice.randrange(1, 60)):
            at += dice.choice(steps)
            event = dice.choice(favourites)
            is_visit = event in ("page_view", "click", "add_to_cart", "begin_checkout", "purchase")
            hits.append(
                hit(
                    at,
                    visitor_id=f"{dice.choice('vvw')}{number}",
                    user_id=f"u{number}",
                    event=event,
                    url=dice.choice(URLS) if event == "page_view" else "",
                    goal=event == "purchase" or (event == "subscribe" and dice.random() < 0.8),
                    order_id=dice.choice(["", "o'1"]),
                    score=dice.choice([None, *range(11), 3.3]),
                    scale=dice.choice([None, 5.0, 7.0, 10.0]),
                    props=dice.choice(PROPS),
                    campaign_name=dice.choice(["", "", "spring"]) if event.startswith("email") else "",
                    outcome=dice.choice(["sessionized"] * 9 + ["late", "bot"]) if is_visit else "background",
                )
            )
    return hits


def random_regressions(hits: list[Row], seed: int) -> list[Transition]:
    dice = random.Random(seed)
    chosen = {(row["person_id"], row["event_time"]) for row in hits if dice.random() < 0.04}
    said: list[Transition] = []
    for person, time in sorted(chosen):
        model = dice.choice(["digital8", "classic5"])
        said.append(
            Transition("shop", person, model, "b", "a", Kind.REGRESS, time, 1, 0, "", "", "", "", False, 1)
        )
    return said


def note_of(row: Row) -> Note | None:
    kind = Notables(CANCEL_URLS).kind(row["event"], row["url"], row["goal"])
    words = Words(
        row["event"], row["url"], row["campaign_name"], None, row["order_id"], row["score"], row["scale"], None,
        msgspec.Raw(row["props"].encode()) if row["props"] else Words._field_defaults["props"],
    )  # fmt: skip
    kind, amount, text = details(kind, words, goal=row["goal"])
    if kind == Touch.NONE:
        return None
    in_session = row["outcome"] == "sessionized"
    return Note(
        row["event_time"], int(kind), row["event"], text, amount, "", "direct", row["goal"], in_session, True
    )


def said_of(rules: SignalRules, hits: list[Row], regressed: list[Transition], watermark: int) -> list[Signal]:
    """What the stream says, of everything at once."""
    touches: dict[str, Touches] = {}
    for session in sessions_of(hits, RULES):
        mine = touches.setdefault(session.person_id, Touches([], []))
        mine.visits.append(Visit(session.end_time, session.start_time, session.session_id, "direct", True))
    for row in hits:
        note = note_of(row)
        if note is not None and row["outcome"] != "bot":
            touches.setdefault(row["person_id"], Touches([], [])).notes.append(note)
    for one in regressed:
        if one.model in REGRESS_MODELS:
            touches[one.person_id].notes.append(
                Note(one.time, Touch.REGRESSED, "regress", one.model, 0, "", "", False, False, True)
            )
    said: list[Signal] = []
    for person, mine in touches.items():
        items = Items()
        steps = change_items(rules, items, mine, Touches([], []), BEFORE_ALL).steps
        for step in steps + let_time_pass(rules, items, watermark):
            fields = {"site": "shop", "person_id": person, "withdrawn": False, "version": 1}
            fields |= step._asdict() | {"reason": REASONS[step.reason], "score": rules.weights[step.reason]}
            said.append(msgspec.convert(fields, Signal))
    return said


def store(sink: Sink, hits: list[Row], regressed: list[Transition], said: list[Signal]) -> None:
    sessions = sessions_of(hits, RULES)
    sink.insert("hits", hit_table(hits), "hits")
    sink.insert("sessions", to_arrow("sessions", sessions), "sessions")
    sink.insert("transitions", to_arrow("transitions", regressed), "transitions")
    sink.insert("signals", to_arrow("signals", said), "signals")


def differences(client: Client, rules: SignalRules = USUAL) -> list[Difference]:
    sources = SignalSources(RULES, rules, CANCEL_URLS, REGRESS_MODELS)
    return verify(client, RULES, [signal_check(sources)], hits_at_once=4_000)["signals"]


@pytest.mark.parametrize(
    ("rules", "idle_days"), [(USUAL, 0), (USUAL, 400), (QUICK, 5)], ids=["usual", "usual, long idle", "quick"]
)
def test_stream_equals_batch(client: Client, sink: Sink, rules: SignalRules, idle_days: int) -> None:
    hits = random_hits(3, persons=200)
    regressed = random_regressions(hits, 4)
    said = said_of(rules, hits, regressed, max(row["event_time"] for row in hits) + idle_days * DAY)
    assert {(one.reason, one.state) for one in said} == {
        (r, s) for r in REASONS for s in ("raised", "cleared")
    }
    store(sink, hits, regressed, said)
    assert differences(client, rules) == []


CHANGES: tuple[dict[str, object], ...] = (
    {"withdrawn": True},
    {"state": "changed"},
    {"score": 0.5},
    {"evidence": '{"event":"never"}'},
    {"evidence": "{}"},
)


def test_a_step_of_each_reason_that_was_tampered_with_is_named(client: Client, sink: Sink) -> None:
    hits = [*random_hits(3, persons=60), hit(1_000 * DAY, "last")]
    regressed = random_regressions(hits, 4)
    said = said_of(USUAL, hits, regressed, DAY_0 + 1_000 * DAY)
    chosen = list({(step.reason, step.state): step for step in said}.values())
    assert len(chosen) == 2 * len(REASONS)
    changes = [CHANGES[place % len(CHANGES)] for place in range(len(chosen))]
    for step, change in zip(chosen, changes, strict=True):
        for name, value in change.items():
            setattr(step, name, value)
    store(sink, hits, regressed, said)
    found = {
        (one.key["person_id"], one.key["reason"], one.key["ordinal"]): (one.stream or {}).keys()
        for one in differences(client)
    }
    assert found == {
        (step.person_id, step.reason, step.ordinal): change.keys() - {"withdrawn"}
        for step, change in zip(chosen, changes, strict=True)
    }


def test_a_step_that_was_invented_is_named(client: Client, sink: Sink) -> None:
    hits = [hit(0, event="payment_failed", outcome="background", order_id="o")]
    said = said_of(USUAL, hits, [], DAY_0)
    store(sink, hits, [], [*said, msgspec.structs.replace(said[0], reason="leaving")])
    (one,) = differences(client)
    assert (one.key["reason"], one.batch) == ("leaving", None)
    assert one.stream == {"state": "raised", "score": 0.12, "evidence": "event = payment_failed, what = o"}


def test_a_timer_must_have_fired_when_all_partitions_have_surely_passed_it(
    client: Client, sink: Sink
) -> None:
    """Two minutes are left for what is out of order; a silence is believed an hour later."""
    hits = [hit(DAY, "support", event="support_ticket_open", outcome="background")]
    hits += [hit(day * DAY - DAY // 2, "silent") for day in (-5, -4, -3)]
    passed = 3 * DAY + 120_000
    hits += [hit(passed + DAY, "eve", event="click", outcome="background", source_partition=1)]
    store(sink, hits, [], [])
    for number, (time, missing) in enumerate([
        (passed, []),
        (passed + 1, ["support"]),
        (passed + DAY // 2 + HOUR, ["support"]),
        (passed + DAY // 2 + HOUR + 1, ["overdue", "support"]),
    ]):  # fmt: skip
        sink.insert("hits", hit_table([hit(time, "bob", event="click", outcome="background")]), str(number))
        assert sorted(one.key["reason"] for one in differences(client)) == missing


def test_time_has_come_to_a_timer_if_it_has_come_to_a_later_one(client: Client, sink: Sink) -> None:
    hits = [hit(0, event="support_ticket_open", outcome="background")]
    opened, ended = said_of(USUAL, hits, [], DAY_0 + 100 * DAY)
    store(sink, hits, [], [ended])
    (one,) = differences(client)
    assert (one.key["ordinal"], one.stream) == (opened.ordinal, None)


def test_an_open_session_is_no_visit_yet(client: Client, sink: Sink) -> None:
    """A cart in it is not abandoned, as long as the stream has not closed it."""
    hits = [hit(0, event="add_to_cart")]
    sessions = [msgspec.structs.replace(one, closed=False) for one in sessions_of(hits, RULES)]
    sink.insert("hits", hit_table(hits), "hits")
    sink.insert("sessions", to_arrow("sessions", sessions), "sessions")
    assert differences(client) == []


def test_an_e_mail_is_named_by_its_campaign(client: Client, sink: Sink) -> None:
    """Where its props do not name it."""
    mail = hit(0, event="email_complaint", outcome="background", campaign_name="spring", props="{}")
    said = said_of(USUAL, [mail], [], DAY_0)
    assert said[0].evidence == '{"event":"email_complaint","what":"spring"}'
    store(sink, [mail], [], said)
    assert differences(client) == []
    said[0].evidence, said[0].version = '{"event":"email_complaint","what":"summer"}', 2
    sink.insert("signals", to_arrow("signals", said), "other")
    (one,) = differences(client)
    assert one.key["reason"] == "unhappy"
