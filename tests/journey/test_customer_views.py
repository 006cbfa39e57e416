"""Orders, coming back, cohorts, lifetime value and segments, as the engine works them out."""

from decimal import Decimal
from itertools import accumulate
from statistics import median

import pytest
from store.kit import Row, hit

from pipeline.store.client import Client
from pipeline.store.content import set_segments
from pipeline.store.errors import QueryError
from pipeline.store.sink import Sink

from .kit import DAY, order, put, table, visit


def test_an_order_sent_twice_is_one_and_refunds_are_taken_off(client: Client, sink: Sink) -> None:
    put(sink, [
        order(2 * DAY, "ann", 30, "o2"),
        order(0, "ann", 20, "o1"),
        order(5, "ann", 99, "o1"),  # the server says it again
        order(DAY, "bob", 5), order(DAY, "bob", 5),  # two orders without a number
        hit(3 * DAY, "ann", event="refund", outcome="background", order_id="o1", revenue_micros=12_000_000),
        hit(3 * DAY, "ann", event="refund", outcome="background", order_id="o1", revenue_micros=-3_000_000),
        hit(3 * DAY, "ann", event="refund", outcome="background", order_id="", revenue_micros=1_000_000),
    ])  # fmt: skip
    found = table(
        client, "orders", "person_id, order_id, order_number, days_since_previous, revenue, net_revenue"
    )
    assert found == [
        ("ann", "o1", 1, None, Decimal(20), Decimal(5)),
        ("ann", "o2", 2, 2.0, Decimal(30), Decimal(30)),
        ("bob", "", 1, None, Decimal(5), Decimal(5)),
        ("bob", "", 2, 0.0, Decimal(5), Decimal(5)),
    ]


def test_a_refund_counts_in_the_orders_currency(client: Client, sink: Sink) -> None:
    back = {"event": "refund", "goal": False}
    hits = [order(0, "ann", 100, "o1"), order(0, "ann", 50, "o2", currency="")]
    hits += [
        order(1, "ann", money, "o1", currency=name, **back)
        for money, name in ((40, "USD"), (7, "EUR"), (3, ""))
    ]
    hits += [order(1, "ann", money, "o2", currency=name, **back) for money, name in ((5, "USD"), (1, "EUR"))]
    put(sink, hits)
    assert table(client, "orders", "order_id, refunded, net_revenue") == [("o1", 10, 90), ("o2", 6, 44)]


def test_orders_of_bots_do_not_count_and_the_channel_is_that_of_the_session(
    client: Client, sink: Sink
) -> None:
    put(
        sink,
        [
            order(0, "ann", 1, session_id="ann-0", channel="direct"),
            order(0, "bot", 1, outcome="bot", bot=True),
        ],
        [visit(0, "ann", "email")],
    )
    assert table(client, "orders", "person_id, channel") == [("ann", "email")]


def test_repeat_purchases(client: Client, sink: Sink) -> None:
    put(sink, [order(at * DAY, who, 10) for who, at in [("ann", 0), ("ann", 4), ("ann", 10), ("bob", 1)]])
    assert table(client, "repeat_purchases") == [("shop", 2, 1, 0.5, 4, 2.0, 5.0)]


def test_the_median_of_many_gaps_is_exact(client: Client, sink: Sink) -> None:
    gaps = [1_000 * (number * 7_919 % 20_011) for number in range(20_000)]
    put(sink, [order(at, "ann", 1) for at in accumulate(gaps, initial=0)])
    ((found,),) = table(client, "repeat_purchases", "median_days_between")
    assert found == pytest.approx(median(gaps) / DAY, rel=1e-12)


def test_a_cohort_is_followed_week_by_week_also_those_in_which_nobody_came(
    client: Client, sink: Sink
) -> None:
    monday = 4 * DAY  # 2026-01-05
    put(sink, [order(monday + 15 * DAY, "ann", 1)], [
        visit(monday, "ann"), visit(monday + 6 * DAY, "ann"),  # Monday and Sunday of the first week
        visit(monday + 7 * DAY - 1, "bob"), visit(monday + 14 * DAY, "bob"),
        visit(monday + 7 * DAY, "cyd"),
    ])  # fmt: skip
    found = table(
        client,
        "cohort_retention",
        "toString(cohort_week), week_number, persons, returned, retention_ratio",
        "activity = 'visit'",
    )
    assert found == [
        ("2026-01-05", 0, 2, 2, 1.0), ("2026-01-05", 1, 2, 0, 0.0), ("2026-01-05", 2, 2, 1, 0.5),
        ("2026-01-12", 0, 1, 1, 1.0), ("2026-01-12", 1, 1, 0, 0.0),
    ]  # fmt: skip
    orders = table(client, "cohort_retention", "toString(cohort_week), persons", "activity = 'order'")
    assert orders == [("2026-01-19", 1)]


def test_lifetime_value_is_the_formula(client: Client, sink: Sink) -> None:
    """ann ordered on day 0 and 100 and was still there on day 400 (3 x 100 days are not over); bob and cyd left."""
    rows = [("ann", 0, 10), ("ann", 100, 30), ("bob", 0, 20), ("cyd", 310 - 1, 60), ("dan", 310, 20)]
    put(sink, [order(at * DAY, who, money) for who, at, money in rows] + [hit(400 * DAY, "eve")])
    ((_, _, customers, left, orders, revenue, years, mean, per_year, lifetime, value),) = table(
        client, "lifetime_values"
    )
    assert (customers, left, orders, revenue) == (4, 2, 5, Decimal(140))
    # Dan: exactly 90 days of silence are not too long.
    assert years == pytest.approx((400 + 0 + 0 + 90) / 365.25)
    assert (mean, per_year, lifetime) == pytest.approx((28, 5 / years, years / 2))
    assert value == pytest.approx(28 * (5 / years) * (years / 2)) == pytest.approx(70)


def test_nobody_who_left_is_no_lifetime(client: Client, sink: Sink) -> None:
    put(sink, [order(0, "ann", 10), order(9 * DAY, "ann", 10)])
    assert table(client, "lifetime_values", "customers_left, expected_lifetime_years, lifetime_value") == [
        (0, None, None)
    ]


def test_scores_rank_customers_and_equal_ones_are_equal(client: Client, sink: Sink) -> None:
    hits: list[Row] = [hit(0, "looker")]
    for number, name in enumerate("abcde"):
        hits += [order((10 * number + at) * DAY, name, 10 * (number + 1)) for at in range(1 + (number == 4))]
    put(sink, hits)
    scores = table(
        client, "person_facts", "person_id, recency_score, frequency_score, monetary_score, loyalty"
    )
    assert scores == [
        ("a", 1, 1, 1, "lost"), ("b", 2, 1, 2, "lost"), ("c", 3, 1, 3, "promising"), ("d", 4, 1, 4, "recent"),
        ("e", 5, 5, 5, "champion"), ("looker", 0, 0, 0, "prospect"),
    ]  # fmt: skip


def test_what_a_person_is_in_every_dimension(client: Client, sink: Sink) -> None:
    put(
        sink,
        [
            hit(0, "ann", device="desktop", country="IR", language="fa-ir"),
            hit(9, "ann", device="mobile"),
            hit(9, "costs", event="ad_cost", outcome="background"),
        ],
        [visit(0, "ann", "email", campaign_name="spring"), visit(9, "ann", "direct")],
    )
    assert table(client, "segments", "person_id, dimension, segment") == [
        ("ann", "campaign", "spring"), ("ann", "channel", "email"), ("ann", "country", "IR"),
        ("ann", "device", "mobile"),
        ("ann", "language", "fa-ir"), ("ann", "loyalty", "prospect"), ("ann", "visits", "returning"),
    ]  # fmt: skip


def test_own_segments_are_conditions_in_sql(client: Client, sink: Sink) -> None:
    put(sink, [order(0, "ann", 600), order(0, "bob", 5), hit(0, "cyd")])
    set_segments(client, {"big": "revenue >= 600", "buyer's": "orders > 0"})
    found = table(client, "segments", "person_id, segment", "dimension = 'own'")
    assert found == [("ann", "big"), ("ann", "buyer's"), ("bob", "buyer's")]
    set_segments(client, {})
    assert table(client, "segments", "person_id, segment", "dimension = 'own'") == []


def test_the_view_of_own_segments_is_made_when_they_differ_and_not_at_each_start(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the engine leaves a view that it makes empty, and never starts again."""
    said: list[str] = []
    command = client.command
    monkeypatch.setattr(client, "command", lambda statement: (said.append(statement), command(statement)))
    for own, made in (("1", 1), ("1", 1), ("2", 2), ("2", 2)):
        set_segments(client, {"big": f"revenue > {own}"})
        assert len(said) == made
    set_segments(client, {})
    set_segments(client, {})
    assert len(said) == 3


def test_a_wrong_condition_names_the_segment_and_leaves_the_view(client: Client, sink: Sink) -> None:
    put(sink, [order(0, "ann", 600)])
    set_segments(client, {"big": "revenue > 1"})
    with pytest.raises(QueryError, match=r"segments: the condition of `rich`.*revenu"):
        set_segments(client, {"rich": "revenu > 1"})
    assert table(client, "own_segments", "segment") == [("big",)]


def test_figures_can_be_cut_by_a_segment(client: Client, sink: Sink) -> None:
    put(
        sink,
        [
            hit(0, "ann", device="mobile"),
            hit(0, "bob", device="desktop"),
            order(1, "ann", 7, device="mobile"),
        ],
    )
    found = client.query(
        "SELECT g.segment, sum(o.net_revenue) FROM orders AS o INNER JOIN segments AS g USING (site, person_id) "
        "WHERE g.dimension = 'device' GROUP BY g.segment"
    )
    assert found == [("mobile", Decimal(7))]
