"""``masir clv``: what a customer is worth, by the formula and by a model of the stored orders."""

import click
import msgspec

from pipeline.cli.runner import Wrong, settings_of, visible
from pipeline.cli.scope import in_scope, scope_options
from pipeline.journey.customers import Forecast, currency_of, forecast
from pipeline.journey.lifetime import FitError, loose
from pipeline.journey.scope import Scope
from pipeline.journey.tables import show, table
from pipeline.store.client import Reader, rows
from pipeline.store.sql import text

DAYS_PER_WEEK = 7

EXAMPLES = """
\b
Examples:
  masir clv
  masir clv --days 730 --discount 0.1 --customers 20
  masir clv --json | jq '.model.mean_lifetime_value'
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--days", type=click.IntRange(1, 3_650), default=365, show_default=True, help="How far to look ahead."
)
@click.option(
    "--discount",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="What money loses in a year.",
)
@click.option("--currency", metavar="ISO", help="Only orders in it.  [default: the one of most orders]")
@click.option(
    "--customers", type=click.IntRange(0), default=10, show_default=True, help="How many of the best to list."
)
@scope_options(end="Look ahead from here.  [default: after the last hit]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def clv(
    days: int,
    discount: float,
    currency: str | None,
    customers: int,
    site: str | None,
    start: str | None,
    end: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Customer lifetime value, twice.

    By the formula: mean order value, times orders a year, times expected years, over all stored orders. By a model
    (BG/NBD with Gamma-Gamma): when each customer will order again within the next DAYS, and for how much. Where too few
    have ordered again for a model, it says so.
    """
    with in_scope(settings_of(data=data), site, start, end) as (reader, scope):
        try:
            chosen = currency or currency_of(reader, scope)
            formula = _formula(reader, scope, chosen)
        except FitError as error:
            raise Wrong(str(error)) from error
        found = _model(reader, scope, days / DAYS_PER_WEEK, discount, chosen)
    if as_json:
        head = {"site": scope.site, "currency": chosen, "formula": formula}
        click.echo(msgspec.json.encode(head | _as_json(days, found, customers)))
        return
    _show_formula(scope, formula, chosen)
    if isinstance(found, Forecast):
        _show_model(scope, days, found, customers)
    else:
        show("", f"No model: {found}.")


def _formula(reader: Reader, scope: Scope, currency: str) -> dict[str, float | None]:
    found = rows(
        reader,
        "SELECT customers, customers_left, mean_order_value, orders_per_year, expected_lifetime_years, lifetime_value "
        f"FROM lifetime_values WHERE site = {text(scope.site)} AND currency = {text(currency)}",
    )
    if not found:
        raise FitError(f"{scope.site} has no orders in {currency}")
    return found[0]


def _model(reader: Reader, scope: Scope, weeks: float, discount: float, currency: str) -> Forecast | FitError:
    """What the model foretells, or why there is none."""
    try:
        return forecast(reader, scope, currency, weeks=weeks, yearly_discount=discount)
    except FitError as error:
        return error


def _best(found: Forecast, number: int) -> list[dict[str, object]]:
    places = sorted(range(len(found.person_ids)), key=lambda at: (-found.value[at], found.person_ids[at]))
    return [
        {
            "person_id": found.person_ids[at],
            "alive": float(found.alive[at]),
            "expected_orders": float(found.orders[at]),
            "lifetime_value": float(found.value[at]),
        }
        for at in places[:number]
    ]


def _as_json(days: int, found: Forecast | FitError, number: int) -> dict[str, object]:
    if isinstance(found, FitError):
        return {"model": None, "no_model": str(found), "customers": []}
    return {
        "model": {
            "days": days,
            "customers": len(found.person_ids),
            "repeat_customers": int((found.customers.orders > 0).sum()),
            "bg_nbd": found.times._asdict(),
            "gamma_gamma": found.values._asdict(),
            "loose": loose(found.times, found.values),
            "alive_customers": float(found.alive.sum()),
            "expected_orders": float(found.orders.sum()),
            "mean_lifetime_value": float(found.value.mean()),
        },
        "customers": _best(found, number),
    }


def _show_formula(scope: Scope, formula: dict[str, float | None], currency: str) -> None:
    by_formula = table(f"By the formula, {scope.site}, {currency}", "", "")
    for name, unit in [
        ("mean order value", currency),
        ("orders per year", ""),
        ("expected lifetime years", ""),
        ("lifetime value", currency),
    ]:
        value = formula[name.replace(" ", "_")]
        by_formula.add_row(name, "nobody has left yet" if value is None else f"{value:,.2f} {unit}".rstrip())
    show(by_formula)


def _show_model(scope: Scope, days: int, found: Forecast, number: int) -> None:
    size = len(found.person_ids)
    by_model = table(f"By the model, {days} days after {scope.last_day}", "", "")
    by_model.add_row("customers", f"{size:,}")
    by_model.add_row("of them with a second order", f"{int((found.customers.orders > 0).sum()):,}")
    by_model.add_row("still active", f"{found.alive.sum():,.0f} ({found.alive.mean():.0%})")
    by_model.add_row("orders they will place", f"{found.orders.sum():,.0f}")
    by_model.add_row("lifetime value, mean", f"{found.value.mean():,.2f} {found.currency}")
    by_model.add_row(
        "BG/NBD", ", ".join(f"{name} {value:.3f}" for name, value in found.times._asdict().items())
    )
    by_model.add_row(
        "Gamma-Gamma", ", ".join(f"{name} {value:.3f}" for name, value in found.values._asdict().items())
    )
    if edge := loose(found.times, found.values):
        by_model.add_row("not settled by these orders", ", ".join(edge))
    best = table("The most valuable", "person", "active", "orders", "value")
    for row in _best(found, number):
        best.add_row(
            visible(str(row["person_id"])),
            f"{row['alive']:.0%}",
            f"{row['expected_orders']:.1f}",
            f"{row['lifetime_value']:,.2f}",
        )
    show("", by_model)
    if number:
        show("", best)
