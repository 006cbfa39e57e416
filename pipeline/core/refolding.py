"""Evidence of one person that comes late, or leaves: what comes after it is folded again. Times in ms."""

from bisect import bisect_left
from collections.abc import Iterable
from copy import copy
from typing import NamedTuple

from pipeline.core.models import Models
from pipeline.core.person_table import PersonTable
from pipeline.core.stage_fold import State, Step, fold, in_order, lapse, nowhere
from schemas.evidence import Evidence

StepKey = tuple[int, int, int]  # model, time, ordinal


class Refolded(NamedTuple):
    """The steps that no longer hold as they were, and those that hold now instead or in addition.

    ``missed``: how many pieces were left out.
    """

    gone: dict[StepKey, Step]
    said: dict[StepKey, Step]
    missed: int


def refold(
    models: Models,
    table: PersonTable,
    person: int,
    come: list[Evidence],
    leaving: list[Evidence],
    passed: int,
) -> Refolded:
    """Change the person's evidence and state. ``passed``: journeys have lapsed up to here."""
    start = table.checkpoint(person) or nowhere(models)
    placed = [one for one in come if start.last is None or one.time > start.last]
    missed = len(come) - len(placed)
    if not placed and not leaving:
        return Refolded({}, {}, missed)
    known = table.history(person)
    cut = bisect_left(known, min(map(in_order, (*placed, *leaving))), key=in_order)
    state = copy(start)
    fold(models, state, known[:cut])
    told = table.persons["steps"][person].tolist()  # time may have passed by a lapse that is not said yet
    before = _by_key(
        step for step in _folded(models, copy(state), known[cut:], passed) if step.ordinal < told[step.model]
    )
    rest = sorted([*known[cut:], *placed], key=in_order)
    for one in leaving:  # perhaps what has come in this very unit
        if one in rest:  # else it was folded for good
            rest.remove(one)
    after = _by_key(_folded(models, state, rest, passed))
    table.rewrite(person, [*known[:cut], *rest])
    table.set_state(person, state)
    gone = {key: step for key, step in before.items() if after.get(key) != step}
    said = {key: step for key, step in after.items() if before.get(key) != step}
    return Refolded(gone, said, missed)


def fold_into_checkpoint(models: Models, table: PersonTable, person: int, kept: int) -> None:
    """Keep so many of the person's newest pieces of evidence; the others are folded for good."""
    evidence = table.history(person)
    cut = len(evidence) - kept
    checkpoint = table.checkpoint(person) or nowhere(models)
    fold(models, checkpoint, evidence[:cut])
    table.set_checkpoint(person, checkpoint)
    table.rewrite(person, evidence[cut:])


def _folded(models: Models, state: State, evidence: Iterable[Evidence], passed: int) -> list[Step]:
    """The steps up to now: what has lapsed since counts too."""
    return fold(models, state, evidence) + lapse(models, state, passed)


def _by_key(steps: Iterable[Step]) -> dict[StepKey, Step]:
    return {(step.model, step.time, step.ordinal): step for step in steps}
