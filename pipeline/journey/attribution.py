"""Which channels led to the conversions, by nine models.

Six are rules on the single path, worked out by the view ``attribution``. Three learn from all paths, those that led
nowhere included: ``markov``, ``shapley``, ``counterfactual``. Every conversion is shared among the channels of its own
path, so credits of one conversion add up to 1 and to its revenue, to the micro.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from pipeline.journey.markov import removal_effects
from pipeline.journey.paths import COLUMNS, NONE, Path, PathCount, among, paths_of
from pipeline.journey.scope import Scope
from pipeline.journey.shapley import Shares, counterfactual, shapley, shares, worth_of
from pipeline.store.client import Reader, rows

RULES: Final[Mapping[str, str]] = {
    "first": "first_touch",
    "last": "last_touch",
    "last_non_direct": "last_non_direct",
    "linear": "linear",
    "position": "position_based",
    "time_decay": "time_decay",
}
"""Model -> its name in the view ``attribution``."""
LEARNED: Final = ("markov", "shapley", "counterfactual")
MODELS: Final = (*RULES, *LEARNED)

Splits = Mapping[Path, Shares]


class Credit(Struct):
    """What a channel is credited with; money in micros by currency. ``effect``: of ``markov``, the removal effect."""

    name: str
    conversions: float = 0.0
    revenue: dict[str, int] = {}
    cost: dict[str, int] = {}
    effect: float | None = None


def attribute(reader: Reader, scope: Scope, model: str, by: str, goals: tuple[str, ...] = ()) -> list[Credit]:
    """The credits of all channels (or campaigns, …) of the scope, most conversions first, with what they cost."""
    if model in RULES:
        named = _by_rule(reader, scope, RULES[model], by, goals)
    else:
        paths = paths_of(reader, scope, by, goals)
        named = totals(paths, learned(model, paths), removal_effects(paths) if model == "markov" else {})
    for row in rows(
        reader,
        f"SELECT {COLUMNS[by][1]} AS name, currency, toInt128(sum(ifNull(costs.cost, 0)) * 1000000) AS micros "
        f"FROM costs WHERE {scope.where('time')} GROUP BY name, currency ORDER BY name, currency",
    ):
        name = row["name"] or NONE
        named.setdefault(name, Credit(name)).cost[row["currency"]] = row["micros"]
    return sorted(named.values(), key=lambda credit: (-credit.conversions, credit.name))


def learned(model: str, paths: Mapping[Path, PathCount]) -> Splits:
    """How each converting path is shared among its channels."""
    converting = [path for path, count in paths.items() if count.conversions]
    if model == "markov":
        effects = removal_effects(paths)
        return {path: shares(effects, sorted(set(path))) for path in converting}
    value: Callable[..., Shares] = shapley if model == "shapley" else counterfactual
    worth = worth_of(paths)
    return {path: value(frozenset(path), worth) for path in converting}


def totals(
    paths: Mapping[Path, PathCount], splits: Splits, effects: Mapping[str, float]
) -> dict[str, Credit]:
    """The credits of all paths added up, by name; those of paths that led nowhere are there too, without any."""
    found = {name: Credit(name, effect=effects.get(name)) for path in paths for name in path}
    for path, count in sorted(paths.items()):
        if not count.conversions:
            continue
        for name, share in splits[path].items():
            found[name].conversions += share * count.conversions
        for currency, micros in sorted(count.micros.items()):
            for name, part in divided(micros, splits[path]).items():
                revenue = found[name].revenue
                revenue[currency] = revenue.get(currency, 0) + part
    return found


def divided(micros: int, split: Shares) -> dict[str, int]:
    """Whole micros that add up to ``micros``: what rounding leaves goes to the greatest share."""
    parts = {name: int(micros * share) for name, share in split.items()}
    greatest = max(split, key=lambda name: (split[name], name))
    parts[greatest] += micros - sum(parts.values())
    return parts


def _by_rule(reader: Reader, scope: Scope, model: str, by: str, goals: tuple[str, ...]) -> dict[str, Credit]:
    found: dict[str, Credit] = {}
    for row in rows(
        reader,
        f"SELECT {COLUMNS[by][1]} AS name, currency, sum(credit) AS conversions, "
        "toInt128(sum(attribution.revenue) * 1000000) AS micros "
        f"FROM attribution WHERE model = '{model}' AND {scope.where('time')}{among(goals)} "
        "GROUP BY name, currency ORDER BY name, currency",
    ):
        name = row["name"] or NONE
        credit = found.setdefault(name, Credit(name))
        credit.conversions += row["conversions"]
        if row["micros"]:
            credit.revenue[row["currency"]] = row["micros"]
    return found
