"""How many orders a customer will still place, and what they are worth: BG/NBD with Gamma-Gamma.

BG/NBD: while active, a customer orders at random at an own rate (a gamma distribution of shape r and rate alpha over
customers); after any order the customer leaves with an own chance (a beta distribution of a and b). Gamma-Gamma: the
value of an order varies around the customer's own mean, whatever the rate; p, q, gamma.

A customer is ``orders`` after the first one (x), the time of the last one since the first (t_x) and the time observed
since the first (T), both in weeks, and the mean value of the orders after the first. The fit is by maximum likelihood;
FitError says when there is too little to learn from. Where the likelihood has no peak (nobody leaves, or all are alike)
a parameter runs to the edge of the search: forecasts hold, the parameter itself says nothing. Where a few spend a
hundred times what the others do, q runs to its edge: below it the mean would be whatever the model likes, or none.
No library of such models was alive and light, so scipy searches.

Sources: P. Fader, B. Hardie, K. L. Lee, "Counting your customers the easy way", Marketing Science 24 (2005); P. Fader,
B. Hardie, "The Gamma-Gamma model of monetary value" (2013).
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit, gammaln, hyp2f1  # type: ignore[import-untyped]

Numbers = NDArray[np.float64]

FEWEST_REPEATERS: Final = 10
_EDGE: Final = 8.0  # of the logarithm of a parameter
# Towards 1 the mean of all, p gamma / (q - 1), grows beyond what was seen; below 1 there is none.
_LEAST_Q: Final = 1.25


class FitError(ValueError):
    """The orders do not tell enough: the message says what is missing."""


class Customers(NamedTuple):
    """Columns, one row a customer. ``value`` is 0 where ``orders`` is."""

    orders: Numbers
    last: Numbers
    observed: Numbers
    value: Numbers


class BgNbd(NamedTuple):
    """Parameters of the times of orders; ``alpha`` in weeks."""

    r: float
    alpha: float
    a: float
    b: float


class GammaGamma(NamedTuple):
    """Parameters of the values of orders; ``gamma`` in the currency's unit."""

    p: float
    q: float
    gamma: float


def fit_bg_nbd(customers: Customers) -> BgNbd:
    """The parameters under which these orders are most likely."""
    _require(customers)
    kinds, numbers = np.unique(
        np.stack([customers.orders, customers.last, customers.observed]), axis=1, return_counts=True
    )
    x, last, observed = kinds

    def likelihood(parameters: Numbers) -> float:
        r, alpha, a, b = np.exp(parameters)
        of_rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        of_leaving = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        active = -(r + x) * np.log(alpha + observed)
        left = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + last)
        either = np.where(x > 0, np.logaddexp(active, left), active)
        return float(numbers @ (of_rate + of_leaving + either))

    start = np.log([1.0, max(float(observed.mean()), 1e-3), 1.0, 1.0])
    return BgNbd(*_most_likely(likelihood, start))


def fit_gamma_gamma(customers: Customers) -> GammaGamma:
    """The parameters under which the mean values are most likely; customers without a second order say nothing."""
    _require(customers)
    repeated = (customers.orders > 0) & (customers.value > 0)
    if repeated.sum() < FEWEST_REPEATERS:
        raise FitError(
            f"{repeated.sum()} customers have a second order of a value above 0; {FEWEST_REPEATERS} are needed"
        )
    x, mean = customers.orders[repeated], customers.value[repeated]
    unit = float(mean.mean())  # makes the search independent of the currency
    z = mean / unit

    def likelihood(parameters: Numbers) -> float:
        p, q, gamma = np.exp(parameters)
        return float(
            np.sum(
                gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
                + (p * x - 1) * np.log(z) + p * x * np.log(x) - (p * x + q) * np.log(gamma + x * z)
            )
        )  # fmt: skip

    p, q, gamma = _most_likely(likelihood, np.log([5.0, 4.0, 0.5]), lowest=(-_EDGE, np.log(_LEAST_Q), -_EDGE))
    return GammaGamma(p, q, gamma * unit)


def alive(model: BgNbd, customers: Customers) -> Numbers:
    """The chance that a customer is still active at the end of the observation. 1 before a second order."""
    x = customers.orders
    ratio = (model.alpha + customers.observed) / (model.alpha + customers.last)
    log_odds = np.log(model.a / (model.b + np.maximum(x, 1) - 1)) + (model.r + x) * np.log(ratio)
    return np.where(x > 0, expit(-log_odds), 1.0)


def expected_orders(model: BgNbd, customers: Customers, weeks: float) -> Numbers:
    """How many orders a customer will place within so many weeks after the observation."""
    r, alpha, a, b = model
    x, observed = customers.orders, customers.observed
    span = alpha + observed
    curve = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (span + weeks))
    placed = (a + b + x - 1) / (a - 1) * (1 - (span / (span + weeks)) ** (r + x) * curve)
    return np.asarray(placed * alive(model, customers))


def expected_value(model: GammaGamma, customers: Customers) -> Numbers:
    """The mean value of a customer's orders to come, drawn towards that of all the less is known of the customer."""
    p, q, gamma = model
    x = customers.orders
    return np.asarray(p * (gamma + x * customers.value) / (p * x + q - 1))


def lifetime_values(
    times: BgNbd, values: GammaGamma, customers: Customers, *, weeks: float, yearly_discount: float = 0.0
) -> Numbers:
    """What a customer's orders of the next weeks are worth today, discounted month by month."""
    ends = np.append(np.arange(4.348125, weeks, 4.348125), weeks)  # months of 30.4 days
    total, before = np.zeros_like(customers.orders), np.zeros_like(customers.orders)
    for end in ends:
        orders = expected_orders(times, customers, end)
        total += (orders - before) / (1 + yearly_discount) ** (end / 52.1775)
        before = orders
    return np.asarray(total * expected_value(values, customers))


def loose(times: BgNbd, values: GammaGamma) -> list[str]:
    """The parameters that ran to the edge: the orders do not settle them."""
    known = {**times._asdict(), "p": values.p, "q": values.q}
    found = [name for name, value in known.items() if abs(np.log(value)) > _EDGE - 0.01]
    return [*found, "q"] if values.q < _LEAST_Q + 0.01 else found


def _require(customers: Customers) -> None:
    repeaters = int((customers.orders > 0).sum())
    if repeaters < FEWEST_REPEATERS:
        raise FitError(
            f"{repeaters} customers ordered on a second day; {FEWEST_REPEATERS} are needed to learn from"
        )


def _most_likely(
    likelihood: Callable[[Numbers], float], start: Numbers, lowest: Sequence[float] = ()
) -> list[float]:
    """The parameters (above 0) of the greatest likelihood; searched in logarithms, which ``lowest`` bounds."""

    def cost(parameters: Numbers) -> float:
        return -likelihood(parameters)

    bounds = [(low, _EDGE) for low in lowest or (-_EDGE,) * len(start)]
    near = minimize(
        cost, start, method="Nelder-Mead", bounds=bounds, options={"maxiter": 4000, "xatol": 1e-5}
    )
    found = minimize(cost, near.x, method="L-BFGS-B", bounds=bounds)
    best = found.x if found.fun <= near.fun else near.x
    return [float(value) for value in np.exp(best)]
