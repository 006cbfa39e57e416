"""The removal effect: published examples, brute force, and the boundaries."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.journey.attribution import learned, totals
from pipeline.journey.markov import removal_effects
from pipeline.journey.paths import Path, PathCount, collapsed

Paths = Mapping[Path, PathCount]

path_counts = st.dictionaries(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(collapsed),
    st.builds(PathCount, st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


def chance_by_walking(paths: Paths, without: str = "") -> float:
    """The chance of a conversion, by letting mass flow through the chain until nothing is left of it."""
    moves: dict[str, dict[str, float]] = {}
    for path, count in paths.items():
        number = count.conversions + count.lost
        for here, there in zip(("start", *path), (*path, "end"), strict=True):
            of = moves.setdefault(here, {})
            if there != "end":
                of[there] = of.get(there, 0) + number
            else:
                of["won"] = of.get("won", 0) + count.conversions
                of["lost"] = of.get("lost", 0) + count.lost
    mass, won = {"start": 1.0}, 0.0
    while sum(mass.values()) > 1e-13:
        flowing: dict[str, float] = {}
        for here, amount in mass.items():
            total = sum(moves[here].values())
            for there, number in moves[here].items() if total else ():
                part = amount * number / total
                if there == "won":
                    won += part
                elif there not in ("lost", without):
                    flowing[there] = flowing.get(there, 0) + part
        mass = flowing
    return won


def test_the_example_of_three_paths() -> None:
    """Paths C1 > C2 > C3 (bought), C1 (lost), C2 > C3 (lost): a widely used example, by hand 0.5, 1 and 1."""
    paths = {
        ("C1", "C2", "C3"): PathCount(1, 0, {"EUR": 100}),
        ("C1",): PathCount(0, 1),
        ("C2", "C3"): PathCount(0, 1),
    }
    effects = removal_effects(paths)
    assert effects == pytest.approx({"C1": 0.5, "C2": 1, "C3": 1})
    found = totals(paths, learned("markov", paths), effects)
    assert {name: credit.conversions for name, credit in found.items()} == pytest.approx(
        {"C1": 0.2, "C2": 0.4, "C3": 0.4}
    )
    assert {name: credit.revenue["EUR"] for name, credit in found.items()} == {"C1": 20, "C2": 40, "C3": 40}


@given(path_counts)
def test_the_effect_is_what_removing_the_channel_costs(paths: dict[Path, PathCount]) -> None:
    whole = chance_by_walking(paths)
    effects = removal_effects(paths)
    if whole == 0:
        assert effects == {}
        return
    assert effects.keys() == {name for path in paths for name in path}
    for name, effect in effects.items():
        assert effect == pytest.approx(1 - chance_by_walking(paths, name) / whole, abs=1e-9)


def test_a_touch_repeated_in_a_row_is_one() -> None:
    assert collapsed(["email", "email", "", "", "email"]) == ("email", "(none)", "email")


def test_a_loop_between_two_channels() -> None:
    paths = {("a", "b", "a", "b"): PathCount(1, 0), ("a",): PathCount(0, 3)}
    assert removal_effects(paths) == pytest.approx({"a": 1, "b": 1})


def test_without_conversions_there_is_nothing_to_share() -> None:
    paths = {("a",): PathCount(0, 5)}
    found = totals(paths, learned("markov", paths), removal_effects(paths))
    assert found["a"].conversions == 0
    assert found["a"].effect is None
