"""The customers of a site as the lifetime model takes them, and what it foretells of them.

Orders of one day (UTC) count as one, as those who published the model counted them. Values are net of refunds, in one
currency.
"""

from typing import NamedTuple

import numpy as np

from pipeline.journey.lifetime import (
    BgNbd,
    Customers,
    FitError,
    GammaGamma,
    Numbers,
    alive,
    expected_orders,
    fit_bg_nbd,
    fit_gamma_gamma,
    lifetime_values,
)
from pipeline.journey.scope import Scope
from pipeline.store.client import Reader, rows
from pipeline.store.sql import instant, text


class Forecast(NamedTuple):
    """Columns are by customer, in the order of ``person_ids``."""

    currency: str
    person_ids: list[str]
    customers: Customers
    times: BgNbd
    values: GammaGamma
    alive: Numbers
    orders: Numbers
    value: Numbers


def currency_of(reader: Reader, scope: Scope) -> str:
    """The currency of most orders of the scope. Raises FitError where there are none."""
    found = rows(
        reader,
        f"SELECT currency FROM orders WHERE {scope.where('time')} "
        "GROUP BY currency ORDER BY count() DESC, currency LIMIT 1",
    )
    if not found:
        raise FitError(f"{scope.site} has no orders in this time")
    return str(found[0]["currency"])


def customers_of(reader: Reader, scope: Scope, currency: str) -> tuple[list[str], Customers]:
    """Person ids, and their orders seen from the end of the scope."""
    found = rows(
        reader,
        "SELECT person_id, toInt64(count()) - 1 AS orders, max(day) - min(day) AS last, "
        f"toDate({instant(scope.end_ms)}) - min(day) AS observed, "
        "toFloat64(sum(worth) - argMin(worth, day)) / greatest(orders, 1) AS value "
        "FROM (SELECT person_id, toDate(time) AS day, sum(net_revenue) AS worth FROM orders "
        f"WHERE {scope.where('time')} AND currency = {text(currency)} GROUP BY person_id, day) "
        "GROUP BY person_id ORDER BY person_id",
    )
    columns = (
        np.array([row[name] for row in found], dtype=np.float64)
        for name in ("orders", "last", "observed", "value")
    )
    orders, last, observed, value = columns
    return [row["person_id"] for row in found], Customers(
        orders, last / 7, observed / 7, np.maximum(value, 0)
    )


def forecast(
    reader: Reader, scope: Scope, currency: str, *, weeks: float, yearly_discount: float
) -> Forecast:
    """Fit both models to the orders of the scope in this currency. Raises FitError where they do not carry it."""
    person_ids, customers = customers_of(reader, scope, currency)
    times, values = fit_bg_nbd(customers), fit_gamma_gamma(customers)
    return Forecast(
        currency,
        person_ids,
        customers,
        times,
        values,
        alive(times, customers),
        expected_orders(times, customers, weeks),
        lifetime_values(times, values, customers, weeks=weeks, yearly_discount=yearly_discount),
    )
