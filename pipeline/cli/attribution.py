"""``masir attribution``: which channels, campaigns or sources led to the conversions."""

import click
import msgspec

from pipeline.cli.runner import settings_of, visible
from pipeline.cli.scope import in_scope, scope_options
from pipeline.journey.attribution import MODELS, Credit, attribute
from pipeline.journey.paths import COLUMNS
from pipeline.journey.scope import Scope
from pipeline.journey.tables import show, table

EXAMPLES = """
\b
Examples:
  masir attribution --model markov --by channel --from 2026-07-01 --to 2026-08-01
  masir attribution --model all --goal purchase
  masir attribution --model last_non_direct --by campaign --json | jq '.credits[0]'
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--model", type=click.Choice((*MODELS, "all")), default="markov", show_default=True, help="How."
)
@click.option(
    "--by", type=click.Choice(tuple(COLUMNS)), default="channel", show_default=True, help="What is credited."
)
@click.option(
    "--goal", "goals", multiple=True, metavar="EVENT", help="Only conversions of this event.  [default: all]"
)
@scope_options()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def attribution(
    model: str,
    by: str,
    goals: tuple[str, ...],
    site: str | None,
    start: str | None,
    end: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Share each conversion, and its revenue, among the touchpoints that led to it.

    Rules on the single path: first, last, last_non_direct, linear, position (40/20/40), time_decay (half-life 7 days).
    Learned from all paths, those that led nowhere included: markov (removal effect), shapley, counterfactual. Touches
    are the sessions of the 30 days before a conversion; credits of each add up to 1.
    """
    models = MODELS if model == "all" else (model,)
    with in_scope(settings_of(data=data), site, start, end) as (reader, scope):
        found = {name: attribute(reader, scope, name, by, goals) for name in models}
    if as_json:
        click.echo(msgspec.json.encode(_as_json(scope, by, found)))
    elif model == "all":
        _show_all(scope, by, found)
    else:
        _show(scope, by, model, found[model])


def _as_json(scope: Scope, by: str, found: dict[str, list[Credit]]) -> dict[str, object]:
    """Amounts in the currency's unit; ``credits`` of one model, ``models`` of all."""
    by_model = {
        model: [
            {
                by: credit.name,
                "conversions": credit.conversions,
                "revenue": {currency: micros / 1e6 for currency, micros in credit.revenue.items()},
                "cost": {currency: micros / 1e6 for currency, micros in credit.cost.items()},
                "removal_effect": credit.effect,
            }
            for credit in credited
        ]
        for model, credited in found.items()
    }
    head = {"site": scope.site, "from_ms": scope.start_ms, "to_ms": scope.end_ms, "by": by}
    if len(by_model) > 1:
        return head | {"models": by_model}
    ((model, credited),) = by_model.items()
    return head | {"model": model, "credits": credited}


def _title(scope: Scope, what: str) -> str:
    return f"{what}, {scope.site}, {scope.first_day} to {scope.last_day}"


def _show(scope: Scope, by: str, model: str, credited: list[Credit]) -> None:
    learned = any(credit.effect is not None for credit in credited)
    names = [
        "conversions",
        "share",
        "revenue",
        "cost",
        "per conversion",
        *(["removal effect"] if learned else []),
    ]
    made = table(_title(scope, model), by, *names)
    total = sum(credit.conversions for credit in credited)
    for credit in credited:
        spent = credit.cost if credit.conversions else {}
        row = [
            visible(credit.name),
            f"{credit.conversions:,.1f}",
            f"{credit.conversions / total:.1%}" if total else "–",
            _money(credit.revenue),
            _money(credit.cost),
            _money({currency: round(micros / credit.conversions) for currency, micros in spent.items()}),
        ]
        made.add_row(*row, *([f"{credit.effect or 0:.1%}"] if learned else []))
    show(made)


def _show_all(scope: Scope, by: str, found: dict[str, list[Credit]]) -> None:
    """Conversions by model, side by side."""
    made = table(_title(scope, "conversions"), by, *found)
    credited = {model: {one.name: one.conversions for one in of} for model, of in found.items()}
    every: dict[str, float] = {}
    for of in credited.values():
        for name, conversions in of.items():
            every[name] = every.get(name, 0) + conversions
    for name in sorted(every, key=lambda name: (-every[name], name)):
        made.add_row(visible(name), *(f"{of.get(name, 0):,.1f}" for of in credited.values()))
    show(made)


def _money(micros: dict[str, int]) -> str:
    parts = (f"{amount / 1e6:,.2f} {currency}".rstrip() for currency, amount in sorted(micros.items()))
    return " + ".join(parts) or "–"
