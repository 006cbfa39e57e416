"""BG/NBD and Gamma-Gamma: the published CDNOW estimates, known truth, brute force, and the boundaries."""

import gzip
from collections import defaultdict
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta
from store.kit import hit

from pipeline.journey.customers import currency_of, customers_of
from pipeline.journey.lifetime import (
    BgNbd,
    Customers,
    FitError,
    GammaGamma,
    Numbers,
    alive,
    expected_orders,
    expected_value,
    fit_bg_nbd,
    fit_gamma_gamma,
    lifetime_values,
    loose,
)
from pipeline.journey.scope import Scope
from pipeline.store.client import Client
from pipeline.store.sink import Sink

from .kit import DAY, DAY_0, order, put

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.txt.gz"
CUT = date(1997, 9, 30)  # 39 weeks to learn from, 39 to foretell


@cache
def cdnow() -> tuple[Customers, Numbers]:
    """The sample of 2,357 customers whom the papers use, and how many orders each placed after the cut."""
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    with gzip.open(CDNOW, "rt") as file:
        for line in file:
            _, customer, day, _, value = line.split()
            days[customer][date(int(day[:4]), int(day[4:6]), int(day[6:]))] += float(value)
    rows, later = [], []
    for of in days.values():
        seen = sorted(day for day in of if day <= CUT)
        mean = sum(of[day] for day in seen[1:]) / max(len(seen) - 1, 1)
        rows.append((len(seen) - 1, (seen[-1] - seen[0]).days / 7, (CUT - seen[0]).days / 7, mean))
        later.append(sum(day > CUT for day in of))
    return Customers(*np.array(rows, dtype=np.float64).T), np.array(later, dtype=np.float64)


def test_the_published_estimates() -> None:
    customers, _ = cdnow()
    times, values = fit_bg_nbd(customers), fit_gamma_gamma(customers)
    assert len(customers.orders) == 2_357
    assert times == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert values == pytest.approx((6.25, 3.74, 15.44), abs=5e-3)
    assert loose(times, values) == []


def test_what_it_foretells_of_the_second_half() -> None:
    """The orders of weeks 40 to 78 by the orders of the first 39; the paper's figure shows the same curve."""
    customers, later = cdnow()
    expected = expected_orders(fit_bg_nbd(customers), customers, 39)
    found = [(later[customers.orders == x].mean(), expected[customers.orders == x].mean()) for x in range(4)]
    assert np.array(found) == pytest.approx(
        np.array([(0.237, 0.225), (0.697, 0.523), (1.393, 1.044), (1.560, 1.520)]), abs=5e-4
    )


def test_the_more_is_known_of_a_customer_the_more_the_own_mean_counts() -> None:
    model = GammaGamma(6.25, 3.74, 15.44)
    customers = Customers(*np.array([(0, 0, 39, 0), (1, 5, 39, 100), (30, 39, 39, 100)], dtype=np.float64).T)
    mean = 6.25 * 15.44 / (3.74 - 1)
    values = expected_value(model, customers)
    assert values[0] == pytest.approx(mean)
    assert mean < values[1] < values[2] < 100


def test_expected_orders_against_integration_over_all_customers() -> None:
    """A new customer: the mean over rates and chances of leaving of (1 - exp(-rate p t)) / p."""
    model = BgNbd(1.2, 6.0, 1.5, 2.5)

    def of_chance(chance: float) -> float:
        # The mean of exp(-rate p t) over rates.
        still_there = (model.alpha / (model.alpha + chance * 20)) ** model.r
        return float((1 - still_there) / chance * beta(model.a, model.b).pdf(chance))

    expected, _ = quad(of_chance, 0, 1)
    nobody = Customers(*np.zeros((4, 1)))
    assert expected_orders(model, nobody, 20)[0] == pytest.approx(expected, rel=1e-4)


def test_alive_at_its_boundaries() -> None:
    model = BgNbd(0.243, 4.414, 0.793, 2.426)
    rows = [(0, 0, 39, 0), (3, 39, 39, 0), (3, 30, 39, 0), (3, 5, 39, 0)]
    chances = alive(model, Customers(*np.array(rows, dtype=np.float64).T))
    assert chances[0] == 1
    assert chances[1] == pytest.approx(1 / (1 + 0.793 / (2.426 + 3 - 1)))
    assert chances[1] > chances[2] > chances[3] > 0


def simulated(model: BgNbd, size: int, weeks: float) -> Customers:
    rng = np.random.default_rng(7)
    rows = []
    for rate, chance in zip(
        rng.gamma(model.r, 1 / model.alpha, size), rng.beta(model.a, model.b, size), strict=True
    ):
        now, last, orders = 0.0, 0.0, 0
        while (now := now + rng.exponential(1 / rate)) < weeks:
            last, orders = now, orders + 1
            if rng.random() < chance:
                break
        rows.append((orders, last, weeks, 10.0 if orders else 0.0))
    return Customers(*np.array(rows, dtype=np.float64).T)


def test_parameters_of_simulated_customers_are_found() -> None:
    truth = BgNbd(0.8, 5.0, 1.0, 3.0)
    found = fit_bg_nbd(simulated(truth, 6_000, 50))
    assert found == pytest.approx(truth, rel=0.2)


def test_where_nobody_leaves_the_parameters_are_loose_and_the_forecast_holds() -> None:
    rng = np.random.default_rng(5)
    orders = rng.poisson(0.2 * 40, 400).astype(np.float64)
    customers = Customers(
        orders,
        np.where(orders > 0, 40 - rng.exponential(5, 400).clip(0, 39), 0),
        np.full(400, 40.0),
        orders * 0 + 9,
    )
    times = fit_bg_nbd(customers)
    assert {"a", "b"} & set(loose(times, GammaGamma(6, 4, 15)))
    assert expected_orders(times, customers, 40).mean() == pytest.approx(orders.mean(), rel=0.1)


def test_a_few_who_spend_a_hundred_times_as_much_leave_a_mean_that_is_one() -> None:
    """The likelihood is greatest at q = 0.47, where the mean of all is -5; just above 1 it is a fortune."""
    orders = np.array([0] * 30 + [1, 2, 3] * 20, dtype=np.float64)
    values = np.exp(np.random.default_rng(4).normal(3, 2.2, orders.size)) * (orders > 0)
    customers = Customers(orders, orders, orders * 0 + 40, values)
    model = fit_gamma_gamma(customers)
    found = expected_value(model, customers)
    assert found.min() > 0
    assert found[0] < 2 * values[orders > 0].mean()
    assert loose(BgNbd(0.243, 4.414, 0.793, 2.426), model) == ["q"]


def test_money_later_is_worth_less() -> None:
    customers, _ = cdnow()
    times, values = BgNbd(0.243, 4.414, 0.793, 2.426), GammaGamma(6.25, 3.74, 15.44)
    plain = lifetime_values(times, values, customers, weeks=52)
    assert plain == pytest.approx(expected_orders(times, customers, 52) * expected_value(values, customers))
    less = lifetime_values(times, values, customers, weeks=52, yearly_discount=0.1)
    assert 0.9 * plain.sum() < less.sum() < 0.97 * plain.sum()
    assert lifetime_values(times, values, customers, weeks=1)[0] == pytest.approx(
        (expected_orders(times, customers, 1) * expected_value(values, customers))[0]
    )


def test_too_little_to_learn_from() -> None:
    few = Customers(*np.array([(1, 1, 9, 5)] * 9 + [(0, 0, 9, 0)] * 50, dtype=np.float64).T)
    with pytest.raises(FitError, match="9 customers ordered on a second day; 10 are needed"):
        fit_bg_nbd(few)
    free = few._replace(orders=few.orders + 1, value=few.value * 0)
    with pytest.raises(FitError, match="0 customers have a second order of a value above 0"):
        fit_gamma_gamma(free)


def test_orders_out_of_the_store(client: Client, sink: Sink) -> None:
    """Two orders of a day are one; the value is that of the days after the first; other currencies are out."""
    put(
        sink,
        [
            order(0, "ann", 50), order(7 * DAY, "ann", 10), order(7 * DAY + 1, "ann", 20), order(14 * DAY, "ann", 40),
            order(20 * DAY, "bob", 9), order(21 * DAY, "bob", 9, currency="USD"),
            order(0, "cyd", 5), order(DAY, "cyd", 7, "o7"),
            hit(2 * DAY, "cyd", event="refund", outcome="background", order_id="o7", revenue_micros=9_000_000),
            order(28 * DAY, "dan", 5),
        ],
    )  # fmt: skip
    ids, customers = customers_of(client, Scope("shop", DAY_0, DAY_0 + 28 * DAY), "EUR")
    assert ids == ["ann", "bob", "cyd"]
    assert [column.tolist() for column in customers] == [
        [2, 0, 1], [2, 0, 1 / 7], [4, 8 / 7, 4], [35, 0, 0],
    ]  # fmt: skip


def test_a_site_without_orders(client: Client, sink: Sink) -> None:
    put(sink, [hit(0, "ann")])
    with pytest.raises(FitError, match="shop has no orders in this time"):
        currency_of(client, Scope("shop", DAY_0, DAY_0 + DAY))


@pytest.mark.filterwarnings("error")
def test_who_ordered_each_day_and_is_silent_for_years_has_left() -> None:
    often = Customers(*(np.array([number]) for number in (700.0, 100.0, 400.0, 20.0)))
    assert alive(BgNbd(0.3, 0.5, 0.05, 3.0), often) == [0]
