"""The fold of a person's evidence, in its order, into the stages of all models: one step per piece of evidence.

Evidence is ordered by time (ms), then by value (:func:`in_order`): never by arrival. A person enters a model
at any stage, moves on to any higher one, and back only where the rule or the model says so. One hit that
counts for several models moves all of them. ``since`` and ``count`` look at earlier evidence only by what
:class:`State` keeps.

When there has been no evidence at all for longer than a model's lapse time, the person's journey in it has ended at the
end of that time: a step to no stage. What comes after is a return.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from pipeline.core.models import Models
from pipeline.core.plans import NO_SINCE, Moves, Plan, Timed
from pipeline.core.referrals import is_referral
from schemas.evidence import Evidence
from schemas.transition import Kind

# ``known`` is left out: it says who may own the evidence, and moves no stage.
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
    """One transition: ``model`` counts from 0, stages from 1; stage 0 is none. A lapse has no cause."""

    model: int
    time: int
    ordinal: int
    from_stage: int
    to_stage: int
    dwell_ms: int
    cause: Evidence
    beginning: Kind = Kind.ENTER  # if it leaves no stage


def nowhere(models: Models) -> State:
    """The state before all evidence."""
    size = len(models.models)
    return State(bytes(size), (0,) * size, (0,) * size)


def advance(models: Models, state: State, evidence: Evidence, plan: Plan) -> list[Step]:
    """Take one more piece of evidence, the latest in order, into ``state``; the transitions it makes.

    ``plan``: that of the evidence's kind.
    """
    time = evidence.time
    steps = lapse(models, state, time)
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
    if moves:
        steps += _move(state, moves, evidence)
    if plan.is_order:
        state.last_order = time
    if state.first is None:
        state.first = time
    state.last = time
    return steps


def lapse(models: Models, state: State, until: int) -> list[Step]:
    """End the journeys in which nothing has happened for too long before ``until``."""
    if state.last is None or until - state.last <= models.least_lapse_ms:
        return []
    steps: list[Step] = []
    for model, lapse_ms in enumerate(models.lapse_ms):
        end, stage = state.last + lapse_ms, state.stages[model]
        if stage and end < until:
            cause = Evidence(end, (), "", "", "", "")
            dwell = end - state.entered[model]
            steps.append(Step(model, end, state.steps[model], stage, 0, dwell, cause))
            state.stages = state.stages[:model] + b"\0" + state.stages[model + 1 :]
            state.steps = (*state.steps[:model], state.steps[model] + 1, *state.steps[model + 1 :])
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
    is_loop = is_referral(cause.channel, cause.url)
    steps = []
    for model, stage in moves:
        before = stages[model]
        dwell = cause.time - entered[model] if before else 0
        begins = Kind.RETURN if ordinals[model] else Kind.LOOP if is_loop else Kind.ENTER
        steps.append(Step(model, cause.time, ordinals[model], before, stage, dwell, cause, begins))
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
