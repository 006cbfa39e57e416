"""Visits that make no fold say, sooner or later, what a fold over each of them says."""

import random

import pytest

from pipeline.core.persons.fold import Items, Touches, add_visits, change_items, due_at, let_time_pass
from pipeline.core.persons.items import Visit
from pipeline.core.persons.quiet import is_quiet, quiet_until
from pipeline.core.persons.signal_rules import SignalRules
from pipeline.core.persons.signals import BEFORE_ALL, SETTLE_MS, Risk, Step, pass_time, take_visit
from tests.core.persons.kit import DAY, HOUR, visit

RULES = SignalRules()


def folded(rules: SignalRules, visits: list[Visit], watermark: int) -> list[Step]:
    risk = Risk()
    steps = [step for one in sorted(visits) for step in take_visit(rules, risk, one)]
    return steps + pass_time(rules, risk, watermark)


def said(rules: SignalRules, visits: list[Visit], watermarks: list[int]) -> list[Step]:
    """Visits one by one, time passing with each, and only when it is due."""
    items, steps = Items(), set[Step]()
    passed = BEFORE_ALL
    for one, watermark in zip(visits, watermarks, strict=True):
        if not add_visits(rules, items, [one]):
            change = change_items(rules, items, Touches([one], []), Touches([], []), passed)
            steps = (steps - set(change.steps_gone)) | set(change.steps)
        first = due_at(rules, items)
        if first is not None and first <= watermark:
            steps |= set(let_time_pass(rules, items, watermark))
        passed = watermark
    return sorted(steps)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_said_in_the_end_is_what_the_fold_says(seed: int) -> None:
    rng = random.Random(seed)
    rules = SignalRules(overdue_visits=rng.randint(2, 5), fading_visits=rng.choice((5, 8, 40)))
    time, visits = 0, list[Visit]()
    for number in range(rng.randint(1, 30)):
        time += rng.choice((HOUR, 2 * DAY, rng.choice((6, 7, 8)) * DAY))
        visits.append(visit(time, rng.choice((0, 5, 90)), name=f"s{number}"))
    watermarks = [one.end for one in visits]
    if rng.random() < 0.5:
        rng.shuffle(visits)
        watermarks = sorted(rng.randrange(time + 1) for _ in visits)
    watermarks[-1] = time + rng.choice((0, 6, 8, 30, 200)) * DAY
    assert said(rules, visits, watermarks) == sorted(folded(rules, visits, watermarks[-1]))


def test_a_silence_after_so_many_visits_is_not_quiet() -> None:
    few = [visit(day * DAY, 0) for day in (0, 1)]
    late, later = visit(8 * DAY, 0), visit(8 * DAY + 1, 0)
    third = visit(DAY, 0)
    assert is_quiet(RULES, [*few, later])  # of two visits no silence is too long
    assert is_quiet(RULES, [*few, third, late])
    assert not is_quiet(RULES, [*few, third, later])


def test_others_conversions_and_many_visits_are_not_quiet() -> None:
    many = [visit(hour * HOUR, 0) for hour in range(RULES.fading_visits)]
    assert is_quiet(RULES, many[:-1])
    assert not is_quiet(RULES, many)
    assert not is_quiet(RULES, [visit(0, 0, goal_time=0)])


def test_the_silence_is_believed_an_hour_after_it_has_become_too_long() -> None:
    visits = [visit(hour * HOUR, 0) for hour in range(3)]
    assert quiet_until(RULES, visits[:-1]) is None
    until = quiet_until(RULES, visits)
    assert until == 2 * HOUR + RULES.overdue_ms + SETTLE_MS + 1
    assert folded(RULES, visits, until - 1) == []
    assert folded(RULES, visits, until) != []
