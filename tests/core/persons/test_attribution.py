"""Credits of a conversion: the six rules, what counts as a touch, and that nothing is lost to rounding."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.persons.attribution import LOOK_BACK_MS, MODELS, WHOLE, Credit, attribute, reach
from pipeline.core.persons.items import Note, Visit
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, HOUR, note, visit

END = 40 * DAY


def credits_of(visits: list[Visit], *notes: Note) -> list[Credit]:
    return attribute(sorted(notes), visits, -(1 << 62), 1 << 62)


def order(time: int, micros: int = 10_000_000, **fields: object) -> Note:
    return note(Touch.ORDER, time, amount=micros, event="purchase", **fields)  # type: ignore[arg-type]


def by_model(found: list[Credit]) -> dict[str, list[int]]:
    return {model: [credit.credits[at] for credit in found] for at, model in enumerate(MODELS)}


def test_the_six_rules() -> None:
    path = [
        visit(END - 28 * DAY, channel="paid_search"),
        visit(END - 14 * DAY, channel="email"),
        visit(END - 7 * DAY, channel="direct"),
    ]
    assert by_model(credits_of(path, order(END))) == {
        "first_touch": [WHOLE, 0, 0],
        "last_touch": [0, 0, WHOLE],
        "last_non_direct": [0, WHOLE, 0],
        "linear": [333_333, 333_333, 333_334],
        "position_based": [400_000, 200_000, 400_000],
        "time_decay": [76_923, 307_692, 615_385],  # 1 : 4 : 8
    }


def test_two_touches_share_the_ends_and_one_has_it_all() -> None:
    path = [visit(END - 2 * DAY), visit(END - DAY)]
    assert by_model(credits_of(path, order(END)))["position_based"] == [500_000, 500_000]
    assert set(map(tuple, by_model(credits_of(path[:1], order(END))).values())) == {(WHOLE,)}


def test_all_direct_the_last_has_it() -> None:
    path = [visit(END - 2 * DAY), visit(END - DAY)]
    assert by_model(credits_of(path, order(END)))["last_non_direct"] == [0, WHOLE]


def test_touches_began_within_thirty_days_before() -> None:
    edge, old, after = visit(END - LOOK_BACK_MS), visit(END - LOOK_BACK_MS - 1), visit(END + 1)
    at = visit(END, name="at")
    found = credits_of([edge, old, after, at], order(END))
    assert [credit.session_id for credit in found] == [edge.session_id, "at"]
    assert [credit.number for credit in found] == [1, 2]


def test_a_conversion_in_a_session_waits_for_it() -> None:
    before, its_own = visit(END - DAY), visit(END - HOUR, 90)
    buys = order(END, in_session=True)
    assert credits_of([before], buys) == []
    assert [credit.session_id for credit in credits_of([before, its_own], buys)] == [
        before.session_id,
        its_own.session_id,
    ]


def test_one_in_another_persons_session_has_that_for_a_touch() -> None:
    """Of the same person's other conversions, before and after, the session is none."""
    before, others = visit(END - DAY), visit(END - HOUR, 90, channel="email", goal_time=END)
    buys, later = order(END, in_session=True), order(END + DAY)
    found = credits_of([before, others], buys, later)
    assert [credit.session_id for credit in found] == [
        before.session_id,
        others.session_id,
        before.session_id,
    ]
    assert credits_of([before, others], order(END + 1, in_session=True)) == []
    assert credits_of([others, visit(END - HOUR, 90, channel="email")], buys)[0].credits == (WHOLE,) * 6


def test_a_conversion_late_in_a_very_long_session_is_its_own_touch() -> None:
    long = visit(0, 31 * 24 * 60)
    buys = order(long.end, in_session=True)
    span = reach([long], [])
    assert span is not None
    assert [credit.session_id for credit in attribute([buys], [long], *span)] == [""]


def test_a_conversion_outside_of_all_sessions_is_its_own_touch() -> None:
    (credit,) = credits_of([], order(END, channel="offline"))
    assert (credit.channel, credit.session_id, credit.touch_time) == ("offline", "", END)
    assert set(credit.credits) == {WHOLE}


def test_refunds_of_the_order_lessen_its_money_not_its_credit() -> None:
    path = [visit(END - DAY)]
    refund = note(Touch.REFUND, END + DAY, amount=4_000_000, text="o1")
    (credit,) = credits_of(path, order(END, text="o1"), refund)
    assert credit.shares == (6_000_000,) * 6
    assert credit.credits == (WHOLE,) * 6
    (credit,) = credits_of(path, order(END, text="o1"), refund, refund, refund)
    assert credit.shares == (0,) * 6, "never less than nothing"
    (credit,) = credits_of(path, order(END, text="o2"), refund)
    assert credit.shares == (10_000_000,) * 6


def test_a_refund_in_another_currency_lessens_nothing() -> None:
    """Nobody says what it is worth in the order's. One that names no currency is in the order's."""
    path = [visit(END - DAY)]

    def left(order_in: str, refund_in: str) -> int:
        bought = msgspec.structs.replace(order(END, text="o1"), currency=order_in)
        back = note(Touch.REFUND, END + DAY, amount=4_000_000, text="o1")
        (credit,) = credits_of(path, bought, msgspec.structs.replace(back, currency=refund_in))
        return credit.shares[0]

    assert left("EUR", "USD") == 10_000_000
    assert left("EUR", "EUR") == left("EUR", "") == left("", "USD") == 6_000_000


def test_a_goal_that_is_no_order_shares_all_its_money_whatever_is_refunded() -> None:
    subscribed = note(Touch.GOAL, END, amount=10_000_000, text="o1")
    refund = note(Touch.REFUND, END + DAY, amount=4_000_000, text="o1")
    (credit,) = credits_of([visit(END - DAY)], subscribed, refund)
    assert credit.shares == (10_000_000,) * 6


def test_of_two_orders_with_one_id_the_first_is_refunded() -> None:
    refund = note(Touch.REFUND, END + DAY, amount=4_000_000, text="o1")
    found = credits_of([], order(END, text="o1"), order(END + 1, text="o1"), refund)
    assert [credit.shares[0] for credit in found] == [6_000_000, 10_000_000]


def test_equal_conversions_count_twice() -> None:
    found = credits_of([visit(END - DAY)], order(END), order(END))
    assert [credit.copy for credit in found] == [0, 1]


def test_answers_and_orders_that_are_no_goals() -> None:
    assert credits_of([], order(END, goal=False)) == []
    (credit,) = credits_of([], note(Touch.NPS, END, amount=9_000_000, goal=True))
    assert set(credit.shares) == {0}, "the amount is a score"


@given(
    st.lists(
        st.tuples(st.integers(0, LOOK_BACK_MS + DAY), st.sampled_from(["direct", "email"])), max_size=12
    ),
    st.integers(-(10**12), 10**15),
)
def test_credits_add_up_to_one_and_shares_to_the_money(starts: list[tuple[int, str]], micros: int) -> None:
    path = [
        visit(END - before, channel=channel, name=f"s{at}") for at, (before, channel) in enumerate(starts)
    ]
    found = credits_of(path, order(END, micros))
    for at in range(len(MODELS)):
        assert sum(credit.credits[at] for credit in found) == WHOLE
        assert sum(credit.shares[at] for credit in found) == micros
        assert all(0 <= credit.credits[at] <= WHOLE for credit in found)
        assert all(credit.shares[at] * micros >= 0 for credit in found)


@given(st.lists(st.integers(0, LOOK_BACK_MS), min_size=1, max_size=12))
def test_credits_are_the_models_shares_to_the_millionth(befores: list[int]) -> None:
    path = [visit(END - before, name=f"s{at}") for at, before in enumerate(sorted(befores, reverse=True))]
    found = by_model(credits_of(path, order(END)))
    count = len(path)
    assert found["linear"] == pytest.approx([WHOLE / count] * count, abs=1.01)
    weights = [2 ** (-before / (7 * DAY)) for before in sorted(befores, reverse=True)]
    decayed = [WHOLE * weight / sum(weights) for weight in weights]
    assert found["time_decay"] == pytest.approx(decayed, abs=2)
