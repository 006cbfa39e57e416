"""The fold of a person's evidence, in its order, into the stages of all models: one step per piece of
evidence.

Evidence is ordered by time (ms), then by value (:func:`in_order`): never by arrival. A person enters a model
at any stage, moves on to any higher one, and back only where the rule or the model says so. One hit that
counts for several models moves all of them. ``since`` and ``count`` look at earlier evidence only by what
:class:`State` keeps.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from pipeline.core.models import Models
from pipeline.core.plans import NO_SINCE, Moves, Plan, Timed
from schemas.evidence import Evidence

# The score is left out: it changes nothing here that the rules do not already say, and None has no order.
in_order = attrgetter("time", "rules", "event", "url", "channel", "session_id")


class State(Struct, array_like=True, gc=False):
    """Where a person stands after some evidence. Per model, in the models' order: ``stages entered steps``.

    ``stages``: 0 is none, n the n-th stage. ``entered``: when the stage was entered, ms.
    ``steps``: transitions so far. ``recent``: per ``count`` rule, the times of its newest matches, one less
    than it asks for.
    """

    stages: bytes
    entered: tuple[int, ...]
    steps: tuple[int, ...]
    orders: int = 0
    last_order: int | None = None
    first: int | None = None
    last: int | None = None
    recent: dict[int, tuple[int, ...]] = {}


class Step(NamedTuple):
    """One transition: ``model`` counts from 0, stages from 1; ``from_stage`` 0 is none."""

    model: int
    time: int
    ordinal: int
    from_stage: int
    to_stage: int
    dwell_ms: int
    cause: Evidence


def nowhere(models: Models) -> State:
    """The state before all evidence."""
    size = len(models.models)
    return State(bytes(size), (0,) * size, (0,) * size)


def advance(models: Models, state: State, evidence: Evidence, plan: Plan) -> list[Step]:
    """Take one more piece of evidence, the latest in order, into ``state``; the transitions it makes.

    ``plan``: that of the evidence's kind.
    """
    time = evidence.time
    if plan.is_order:
        state.orders += 1
    held = _held(plan.timed, state, time) if plan.timed else 0
    if plan.since_order and state.last_order is not None:
        held |= _held(plan.since_order, state, time)
    orders = state.orders
    if orders > models.order_limit:
        orders = models.order_limit
    moves = plan.moves.get((state.stages, orders, held))
    if moves is None:
        moves = plan.decide(state.stages, orders, held)
    steps = _move(state, moves, evidence) if moves else []
    if plan.is_order:
        state.last_order = time
    if state.first is None:
        state.first = time
    state.last = time
    return steps


def fold(models: Models, state: State, evidence: Iterable[Evidence]) -> list[Step]:
    """Take all the evidence, given in order, into ``state``; the transitions it makes."""
    return [
        step
        for one in evidence
        for step in advance(models, state, one, models.plan_of((one.rules, one.event, one.channel)))
    ]


def _move(state: State, moves: Moves, cause: Evidence) -> list[Step]:
    stages = bytearray(state.stages)
    entered, ordinals = list(state.entered), list(state.steps)
    steps = []
    for model, stage in moves:
        before = stages[model]
        dwell = cause.time - entered[model] if before else 0
        steps.append(Step(model, cause.time, ordinals[model], before, stage, dwell, cause))
        stages[model] = stage
        entered[model] = cause.time
        ordinals[model] += 1
    state.stages = bytes(stages)
    state.entered, state.steps = tuple(entered), tuple(ordinals)
    return steps


def _held(timed: tuple[Timed, ...], state: State, time: int) -> int:
    """The bits of the rules whose ``since`` and ``count`` hold; notes the match of each ``count`` rule."""
    held = 0
    for bit, rule, of, min_ms, max_ms, earlier, window_ms in timed:
        holds = of == NO_SINCE or _is_since(state, of, time, min_ms, max_ms)
        if earlier:
            times = state.recent.get(rule, ())
            holds = holds and len(times) == earlier and times[0] >= time - window_ms
            state.recent = {**state.recent, rule: (*times, time)[-earlier:]}
        if holds:
            held |= bit
    return held


def _is_since(state: State, of: str, time: int, min_ms: int, max_ms: int) -> bool:
    start = state.last_order if of == "order" else state.last if of == "previous" else state.first
    return start is not None and min_ms <= time - start <= max_ms
