"""Each of the eight signals at its boundaries: raised, cleared, ended by itself."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import pytest

from pipeline.core.persons.fold import BEFORE_ALL, Items, Touches, change_items, due_at, let_time_pass
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.signal_rules import END_DAYS, REASONS, WEIGHTS, SignalRules, rules_of
from pipeline.core.persons.signals import Step
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, HOUR, MINUTE, note, visit

RULES = SignalRules()
Told = list[tuple[str, str, int]]


def told(*happened: Visit | Note, until: int = 0) -> Told:
    """(reason, state, time) of what is said of these, when the watermark has come to ``until``."""
    items = Items()
    visits = [one for one in happened if isinstance(one, Visit)]
    notes = [one for one in happened if isinstance(one, Note)]
    steps = change_items(RULES, items, Touches(visits, notes), Touches([], []), BEFORE_ALL).steps
    steps += let_time_pass(RULES, items, until)
    return [(REASONS[step.reason], step.state, step.time) for step in steps]


def of(reason: str, found: Told) -> list[tuple[str, int]]:
    return [(state, time) for name, state, time in found if name == reason]


def visits(*starts: int) -> list[Visit]:
    """Visits of no length."""
    return [visit(start, 0) for start in starts]


def test_weights_of_all_reasons_add_up_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert tuple(WEIGHTS) == tuple(END_DAYS) == REASONS


def test_overdue_is_silence_longer_than_three_usual_gaps() -> None:
    habit = visits(0, 4 * DAY, 8 * DAY)  # a gap of 4 days: 12 are too long
    silent = 20 * DAY
    assert of("overdue", told(*habit, until=silent + HOUR)) == []
    assert of("overdue", told(*habit, until=silent + HOUR + 1)) == [("raised", silent)]
    assert of("overdue", told(*habit, *visits(silent))) == []
    assert of("overdue", told(*habit, *visits(silent + 1))) == [("raised", silent), ("cleared", silent + 1)]


def test_overdue_is_at_least_seven_days_and_needs_a_habit() -> None:
    assert of("overdue", told(*visits(0, DAY, 2 * DAY), until=9 * DAY + HOUR + 1)) == [("raised", 9 * DAY)]
    assert of("overdue", told(*visits(0, DAY), until=900 * DAY)) == []


def test_overdue_ends_by_itself_and_is_told_once_for_a_silence() -> None:
    end = 9 * DAY + 90 * DAY
    found = of("overdue", told(*visits(0, DAY, 2 * DAY), until=end + 200 * DAY))
    assert found == [("raised", 9 * DAY), ("cleared", end)]
    again = told(*visits(0, DAY, 2 * DAY, end + DAY))
    assert of("overdue", again) == found


def test_fading_visits_become_short() -> None:
    long = [visit(n * DAY, 12, name=f"l{n}") for n in range(8)]
    short = [visit((8 + n) * DAY, 0, name=f"s{n}") for n in range(2)]
    assert of("fading", told(*long, short[0])) == []
    assert of("fading", told(*long, *short)) == [("raised", 9 * DAY)], "half of the latest four are nothing"
    back = [visit((10 + n) * DAY, 12, name=f"b{n}") for n in range(3)]
    assert of("fading", told(*long, *short, *back[:2])) == [("raised", 9 * DAY)]
    found = of("fading", told(*long, *short, *back))
    assert found == [("raised", 9 * DAY), ("cleared", back[-1].end)], "three of the latest four"


def test_fading_visits_become_rare() -> None:
    often = visits(*(n * DAY for n in range(9)))
    rare = visits(11 * DAY, 14 * DAY)  # gaps of 3 and 3: with 1 and 1 a mean of 2
    assert of("fading", told(*often, rare[0])) == []
    assert of("fading", told(*often, *rare)) == [("raised", 14 * DAY)]
    almost = visits(11 * DAY, 14 * DAY - 4)
    assert of("fading", told(*often, *almost)) == []


def test_short_pasts_are_noise() -> None:
    """Half of next to nothing says nothing."""
    short = [visit(n * DAY, 0.4, name=f"l{n}") for n in range(8)]
    assert of("fading", told(*short, *visits(*((8 + n) * DAY for n in range(4))))) == []
    moments = visits(*(n * 50 * MINUTE for n in range(9)))
    assert of("fading", told(*moments, *visits(*((9 + 3 * n) * HOUR for n in range(4))))) == []


def test_seven_visits_cannot_fade() -> None:
    fewer = [visit(n * DAY, 0 if n > 3 else 9, name=f"{n}") for n in range(8)]
    assert of("fading", told(*fewer[:7])) == []
    assert of("fading", told(*fewer)) == [("raised", 7 * DAY)]


@pytest.mark.parametrize(
    ("kind", "bad", "between", "good"),
    [(Touch.CSAT, 4.0, 4.5, 7.0), (Touch.CES, 7.0, 5.0, 4.0), (Touch.NPS, 6.0, 7.0, 8.0)],
)
def test_answers_make_unhappy_and_happy_again(kind: Touch, bad: float, between: float, good: float) -> None:
    def answer(score: float, time: int) -> Note:
        return note(kind, time, amount=round(score * 1e6))

    assert of("unhappy", told(answer(bad, 1), answer(between, 2))) == [("raised", 1)]
    assert of("unhappy", told(answer(between, 1))) == []
    assert of("unhappy", told(answer(bad, 1), answer(good, 2))) == [("raised", 1), ("cleared", 2)]


def test_a_complaint_makes_unhappy() -> None:
    assert of("unhappy", told(note(Touch.COMPLAINT, 5))) == [("raised", 5)]
    assert of("unhappy", told(note(Touch.EMAIL_COMPLAINT, 5))) == [("raised", 5)]


def test_a_cart_without_an_order_is_abandoned_when_its_visit_has_closed() -> None:
    shopping = visit(HOUR, 10)
    cart, closes = note(Touch.CART, HOUR + MINUTE), shopping.end + 30 * MINUTE
    assert of("abandoned", told(cart, until=DAY)) == []
    assert of("abandoned", told(cart, shopping, until=closes)) == []
    assert of("abandoned", told(cart, shopping, until=closes + 1)) == [("raised", closes)]
    assert of("abandoned", told(cart, shopping, note(Touch.ORDER, 3 * HOUR))) == [
        ("raised", closes),
        ("cleared", 3 * HOUR),
    ]
    again = told(cart, shopping, note(Touch.CART, DAY + MINUTE), visit(DAY, 10), until=20 * DAY)
    ended = DAY + 40 * MINUTE + 14 * DAY
    assert of("abandoned", again) == [("raised", closes), ("cleared", ended)]


@pytest.mark.parametrize("after", [0, 59_000, 9 * MINUTE, 39 * MINUTE])
def test_an_order_in_time_is_no_abandoned_cart_wherever_it_came_from(after: int) -> None:
    """A backend's has no visitor, so it is in no visit, or comes after it."""
    shopping, cart = visit(HOUR, 10), note(Touch.CART, HOUR + MINUTE)
    order = note(Touch.ORDER, HOUR + MINUTE + after)
    assert of("abandoned", told(cart, shopping, order, until=DAY)) == []
    again = note(Touch.CART, order.time + 1)  # and another cart after the order
    assert of("abandoned", told(cart, order, again, visit(HOUR, 41), until=DAY)) != []


def test_a_cart_is_abandoned_when_the_last_visit_that_holds_it_has_closed() -> None:
    """Another device's may end before. In whatever parts it comes to be known."""
    cart, order = note(Touch.CART, HOUR + 10 * MINUTE), note(Touch.ORDER, HOUR + 50 * MINUTE)
    short, own = visit(HOUR + 5 * MINUTE, 7, name="short"), visit(HOUR, 60, name="own")
    assert of("abandoned", told(cart, short, order, own, until=DAY)) == []
    assert of("abandoned", told(cart, short, own, until=DAY)) == [("raised", own.end + 30 * MINUTE)]
    for units in permutations([cart, short, order, own]):
        items, net = Items(), Counter[Step]()
        for one in units:
            visits, notes = ([one], []) if isinstance(one, Visit) else ([], [one])
            change = change_items(RULES, items, Touches(visits, notes), Touches([], []), 0)
            net.update(change.steps)
            net.subtract(change.steps_gone)
        assert [step for step, times in net.items() if times] == []


def test_a_cart_of_no_visit_is_never_abandoned() -> None:
    assert (
        of("abandoned", told(note(Touch.CART, 5 * HOUR), visit(HOUR, 10), visit(9 * HOUR, 10), until=DAY))
        == []
    )


def test_support_after_48_hours_until_the_last_ticket_is_closed() -> None:
    opened = note(Touch.TICKET_OPEN, HOUR, text="t1")
    due = 49 * HOUR
    assert of("support", told(opened, until=due)) == []
    assert of("support", told(opened, until=due + 1)) == [("raised", due)]
    assert of("support", told(opened, note(Touch.TICKET_CLOSE, due, text="t1"), until=due * 2)) == []
    other = note(Touch.TICKET_OPEN, 2 * HOUR, text="t2")
    closed = note(Touch.TICKET_CLOSE, 60 * HOUR, text="t1"), note(Touch.TICKET_CLOSE, 70 * HOUR, text="t2")
    assert of("support", told(opened, other, *closed)) == [("raised", due), ("cleared", 70 * HOUR)]


def test_support_with_the_third_ticket_in_30_days() -> None:
    def tickets(last: int) -> list[Note]:
        opened = [note(Touch.TICKET_OPEN, time, text=f"t{time}") for time in (0, DAY, last)]
        closed = [note(Touch.TICKET_CLOSE, time + HOUR, text=f"t{time}") for time in (0, DAY)]
        return opened + closed

    assert of("support", told(*tickets(30 * DAY))) == [("raised", 30 * DAY)]
    assert of("support", told(*tickets(30 * DAY + 1))) == []


def test_a_ticket_told_again_is_no_further_one() -> None:
    def opened(*names: str) -> list[Note]:
        return [note(Touch.TICKET_OPEN, number * HOUR, text=name) for number, name in enumerate(names)]

    assert of("support", told(*opened("a", "a", "a", "b", "a", "b"))) == []
    assert of("support", told(*opened("a", "a", "b", "a", "c"))) == [("raised", 4 * HOUR)]
    assert of("support", told(*opened("", "", ""))) == [("raised", 2 * HOUR)], "who knows which"
    month = note(Touch.TICKET_OPEN, 30 * DAY + 1, text="a")
    closed = [note(Touch.TICKET_CLOSE, 2 * HOUR + number, text=name) for number, name in enumerate("ab")]
    late = [note(Touch.TICKET_OPEN, month.time + 1, text="c")]
    assert of("support", told(*opened("a", "b"), *closed, month, *late)) == [("raised", late[0].time)]


def test_payment_and_leaving_end_with_a_renewal_or_an_order() -> None:
    failed, leaves = note(Touch.PAYMENT_FAILED, 1), note(Touch.LEAVING, 2, text="/cancel")
    for kind in (Touch.ORDER, Touch.RENEWAL):
        found = told(failed, leaves, note(kind, 3))
        assert of("payment", found) == [("raised", 1), ("cleared", 3)]
        assert of("leaving", found) == [("raised", 2), ("cleared", 3)]
    found = told(failed, note(Touch.EMAIL_UNSUBSCRIBE, 2), note(Touch.GOAL, 3, event="subscribe"))
    assert of("leaving", found) == [("raised", 2), ("cleared", 3)]
    assert of("payment", found) == [("raised", 1)], "a new subscription pays no old bill"


def test_regress_until_an_order_or_a_renewal() -> None:
    back = note(Touch.REGRESSED, 1, text="digital8")
    for kind in (Touch.ORDER, Touch.RENEWAL):
        assert of("regress", told(back, note(kind, 2))) == [("raised", 1), ("cleared", 2)]


def test_what_lasts_ends_by_itself_counted_from_the_last_reason() -> None:
    bad = [note(Touch.CSAT, time, amount=1_000_000) for time in (0, 50 * DAY)]
    end = 140 * DAY
    assert of("unhappy", told(*bad, until=end)) == [("raised", 0)]
    assert of("unhappy", told(*bad, until=end + 1)) == [("raised", 0), ("cleared", end)]


def test_nothing_waits_for_nothing() -> None:
    """No timer for a person of whom nothing is to be feared."""

    def due(*happened: Visit | Note) -> int | None:
        items = Items()
        few = [one for one in happened if isinstance(one, Visit)]
        notes = [one for one in happened if isinstance(one, Note)]
        change_items(RULES, items, Touches(few, notes), Touches([], []), BEFORE_ALL)
        return due_at(RULES, items)

    assert due(*visits(0, DAY)) is None
    assert due(note(Touch.ORDER, 0)) is None
    assert due(*visits(0, DAY, 2 * DAY)) == 9 * DAY + HOUR + 1
    assert due(note(Touch.TICKET_OPEN, 0)) == 48 * HOUR + 1


def test_evidence_says_what_was_seen() -> None:
    items = Items()
    come: Sequence[Note] = [note(Touch.LEAVING, 2, text="/account/cancel", event="page_view")]
    (step,) = change_items(RULES, items, Touches([], list(come)), Touches([], []), BEFORE_ALL).steps
    assert step.evidence == '{"event":"page_view","what":"/account/cancel"}'


def test_the_settings_say_what_differs() -> None:
    assert rules_of({}, {}, {}) == SignalRules()
    rules = rules_of({"overdue_days": 1.5, "csat_low": 2}, {"regress": 0}, {"abandoned": 1})
    assert (rules.overdue_ms, rules.csat_low) == (DAY + DAY // 2, 2)
    assert (rules.weights[-1], rules.ends_ms[3]) == (0, DAY)


def test_the_least_that_the_settings_may_say() -> None:
    rules = rules_of({"fading_visits": 5, "overdue_visits": 2, "tickets": 1}, {}, {})
    assert (rules.fading_visits, rules.overdue_visits, rules.tickets) == (5, 2, 1)


@pytest.mark.parametrize(
    ("thresholds", "weights", "days", "says"),
    [
        ({"overdue": 1}, {}, {}, "churn_thresholds: there is no overdue; there is overdue_gaps, "),
        ({"overdue_days": -1}, {}, {}, "overdue_days must lie between 0 and"),
        ({"tickets": 2.5}, {}, {}, "are whole numbers"),
        ({"fading_visits": 4}, {}, {}, "fading_visits must be more than 4"),
        ({"overdue_visits": 1}, {}, {}, "overdue_visits at least 2"),
        ({"tickets": 0}, {}, {}, "tickets 1"),
        ({}, {"overdue": 0.3}, {}, "add up to 1 at most"),
        ({}, {}, {"sad": 1}, "churn_end_days: there is no sad"),
    ],
)
def test_settings_that_cannot_be(
    thresholds: dict[str, float], weights: dict[str, float], days: dict[str, float], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        rules_of(thresholds, weights, days)
