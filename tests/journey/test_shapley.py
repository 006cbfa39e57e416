"""Shares of the channels of a path: fractribution's expected tables, all orders by brute force, and what is money."""

import csv
import math
from itertools import permutations
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.journey.attribution import LEARNED, divided, learned, totals
from pipeline.journey.paths import Path, PathCount
from pipeline.journey.shapley import Channels, counterfactual, shapley, shares, worth_of

from .test_markov import path_counts

FRACTRIBUTION = File(__file__).parents[1] / "data" / "fractribution"


def read(name: str) -> list[dict[str, str]]:
    with (FRACTRIBUTION / f"{name}.csv").open(newline="") as file:
        return [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(file)]


def fractribution_paths() -> dict[Path, PathCount]:
    return {
        tuple(row["transformed_path"].split(" > ")): PathCount(
            int(row["conversions"]),
            int(row["non_conversions"]),
            {"USD": round(float(row["revenue"]) * 1e6)} if row["revenue"] else {},
        )
        for row in read("path_summary_expected")
    }


def test_the_tables_of_fractribution() -> None:
    paths = fractribution_paths()
    expected = [row for row in read("channel_attribution_expected") if row["attribution_type"] == "shapley"]
    found = totals(paths, learned("counterfactual", paths), {})
    assert found.keys() == {row["channel"] for row in expected}
    for row in expected:
        credit = found[row["channel"]]
        assert credit.conversions == pytest.approx(float(row["conversions"]), abs=1e-9)
        assert credit.revenue.get("USD", 0) / 1e6 == pytest.approx(float(row["revenue"]), abs=2e-6)


def test_shapley_is_not_what_fractribution_calls_so() -> None:
    """Of the only mixed path the package gives 0.541 to Direct; over both orders it is 0.570."""
    worth = worth_of(fractribution_paths())
    both = frozenset({"Direct", "Organic_Search"})
    direct = (worth[frozenset({"Direct"})] + worth[both] - worth[frozenset({"Organic_Search"})]) / 2
    assert (
        shapley(both, worth)["Direct"]
        == pytest.approx(direct / worth[both])
        == pytest.approx(0.5701, abs=1e-4)
    )
    assert counterfactual(both, worth)["Direct"] == pytest.approx(0.541, abs=1e-3)


@given(path_counts)
def test_shapley_is_the_mean_over_all_orders(paths: dict[Path, PathCount]) -> None:
    worth = worth_of(paths)
    for channels in worth:
        assert shapley(channels, worth) == pytest.approx(by_all_orders(channels, worth))


def by_all_orders(channels: Channels, worth: dict[Channels, float]) -> dict[str, float]:
    values = dict.fromkeys(sorted(channels), 0.0)
    for order in permutations(sorted(channels)):
        for place, name in enumerate(order):
            with_it = worth.get(frozenset(order[: place + 1]), 0.0)
            values[name] += (with_it - worth.get(frozenset(order[:place]), 0.0)) / math.factorial(len(order))
    rounded = {name: value if abs(value) > 1e-12 else 0.0 for name, value in values.items()}
    return shares(rounded)


@given(path_counts, st.sampled_from(LEARNED), st.integers(0, 10**12))
def test_credits_of_a_conversion_add_up_to_one_and_to_its_revenue(
    paths: dict[Path, PathCount], model: str, micros: int
) -> None:
    for count in paths.values():
        count.micros = {"EUR": micros} if count.conversions else {}
    splits = learned(model, paths)
    assert all(sum(split.values()) == pytest.approx(1) for split in splits.values())
    assert all(set(split) == set(path) and min(split.values()) >= 0 for path, split in splits.items())
    found = totals(paths, splits, {})
    assert sum(credit.conversions for credit in found.values()) == pytest.approx(
        sum(count.conversions for count in paths.values())
    )
    assert sum(credit.revenue.get("EUR", 0) for credit in found.values()) == micros * len(splits)


def test_the_rest_of_a_division_goes_to_the_greatest_share() -> None:
    assert divided(10, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}) == {"a": 3, "b": 3, "c": 4}
    assert divided(-7, {"a": 0.5, "b": 0.5}) == {"a": -3, "b": -4}


def test_a_channel_that_harms_gets_nothing_and_a_useless_path_is_shared_equally() -> None:
    worth = {frozenset("a"): 0.9, frozenset("ab"): 0.1}
    assert counterfactual(frozenset("ab"), worth) == {"a": 1.0, "b": 0.0}
    assert shapley(frozenset("xy"), {}) == {"x": 0.5, "y": 0.5}
