"""The journeys' hop: evidence of one person in; the person's state, transitions and facts for the counters
out.

The stage is a fold over the evidence in event-time order (``pipeline.core.stage_fold``). Evidence after all
that is known is one more step of the fold. Any other evidence is late (also evidence of the very same
millisecond): what comes after it is folded again, and the transitions that no longer hold are withdrawn. So
the transitions that are not withdrawn depend on the set of the evidence, never on its order or batching.
Equal evidence twice counts twice.

A journey keeps its newest evidence, up to MAX_EVIDENCE pieces; beyond that all but the newest half of that
many are folded into a checkpoint for good. Evidence at or before a checkpoint cannot be placed any more: it
is left out and counted in ``missed``. State that was handed in is never changed.
"""

from bisect import bisect_left
from collections.abc import Iterable
from copy import copy
from typing import Final

from msgspec import Struct

from pipeline.core.evidence_log import EvidenceLog, append, entries
from pipeline.core.models import Models
from pipeline.core.stage_fold import State, Step, advance, fold, in_order, nowhere
from schemas.evidence import Evidence
from schemas.transition import Kind, Transition, TransitionFact

MAX_EVIDENCE: Final = 2_000


class Journey(Struct, array_like=True, gc=False):
    """The packed state of one person; good for the models whose fingerprint it was made with."""

    state: State
    log: EvidenceLog
    checkpoint: State | None = None
    missed: int = 0


Key = tuple[int, int, int]  # model, time, ordinal


def apply(
    models: Models, journey: Journey | None, site: str, person_id: str, new: list[Evidence], version: int
) -> tuple[Journey, list[Transition], list[TransitionFact]]:
    """Take new evidence of one person, in any order; the transitions to write and the facts they change."""
    if len(new) > 1:
        new = sorted(new, key=in_order)
    if journey is None:
        journey = Journey(nowhere(models), EvidenceLog())
    else:
        journey = Journey(
            journey.state.__replace__(), journey.log.__replace__(), journey.checkpoint, journey.missed
        )
    if new[0].time > journey.log.last:
        steps = _take_on_time(models, journey, new)
        if journey.log.size > MAX_EVIDENCE:
            _fold_into_checkpoint(models, journey)
        if not steps:
            return journey, [], []
        rows = [_transition(models, site, person_id, step, version, withdrawn=False) for step in steps]
        return journey, rows, [TransitionFact(site, *_names(models, step)[:3]) for step in steps]
    gone, said = _take_late(models, journey, new)
    if journey.log.size > MAX_EVIDENCE:
        _fold_into_checkpoint(models, journey)
    withdrawn = [step for key, step in gone.items() if key not in said]
    transitions = [_transition(models, site, person_id, step, version, withdrawn=True) for step in withdrawn]
    transitions += [
        _transition(models, site, person_id, step, version, withdrawn=False) for step in said.values()
    ]
    return journey, transitions, list(_facts(models, site, gone, said))


def current_stages(models: Models, journey: Journey) -> dict[str, str]:
    """Model -> the stage the person is in; models the person has not entered are left out."""
    return _stage_ids(models, journey.state.stages)


def highest_stages(models: Models, journey: Journey) -> dict[str, str]:
    """Model -> the highest stage the person has been in."""
    return _stage_ids(models, journey.state.highest)


def _stage_ids(models: Models, stages: bytes) -> dict[str, str]:
    return {model.name: model.stage[at - 1].id for model, at in zip(models.models, stages, strict=True) if at}


def _take_on_time(models: Models, journey: Journey, new: list[Evidence]) -> list[Step]:
    steps: list[Step] = []
    for evidence in new:
        plan = models.plan_of(evidence)
        append(journey.log, evidence.time, plan.packed, evidence.url, evidence.session_id, evidence.score)
        if step := advance(models, journey.state, evidence, plan):
            steps += step
    return steps


def _take_late(
    models: Models, journey: Journey, new: list[Evidence]
) -> tuple[dict[Key, Step], dict[Key, Step]]:
    """The steps that no longer hold as they were, and those that hold now instead or in addition."""
    start = journey.checkpoint or nowhere(models)
    placed = [one for one in new if start.last is None or one.time > start.last]
    journey.missed += len(new) - len(placed)
    if not placed:
        return {}, {}
    known = _unpack(models, journey.log)
    cut = bisect_left(known, in_order(placed[0]), key=in_order)
    state = copy(start)
    fold(models, state, known[:cut])
    before = _by_key(fold(models, copy(state), known[cut:]))
    rest = sorted([*known[cut:], *placed], key=in_order)
    after = _by_key(fold(models, state, rest))
    journey.state = state
    journey.log = _pack(models, [*known[:cut], *rest])
    gone = {key: step for key, step in before.items() if after.get(key) != step}
    said = {key: step for key, step in after.items() if before.get(key) != step}
    return gone, said


def _fold_into_checkpoint(models: Models, journey: Journey) -> None:
    evidence = _unpack(models, journey.log)
    cut = len(evidence) - MAX_EVIDENCE // 2
    checkpoint = copy(journey.checkpoint) if journey.checkpoint else nowhere(models)
    fold(models, checkpoint, evidence[:cut])
    journey.checkpoint = checkpoint
    journey.log = _pack(models, evidence[cut:])


def _pack(models: Models, evidence: Iterable[Evidence]) -> EvidenceLog:
    log = EvidenceLog()
    for one in evidence:
        append(log, one.time, models.plan_of(one).packed, one.url, one.session_id, one.score)
    return log


def _unpack(models: Models, log: EvidenceLog) -> list[Evidence]:
    found = []
    for entry in entries(log):
        rules, event, channel = models.kind(entry.kind)
        found.append(Evidence(entry.time, rules, event, entry.url, channel, entry.session_id, entry.score))
    return found


def _by_key(steps: Iterable[Step]) -> dict[Key, Step]:
    return {(step.model, step.time, step.ordinal): step for step in steps}


def _transition(
    models: Models, site: str, person_id: str, step: Step, version: int, *, withdrawn: bool
) -> Transition:
    model, from_stage, to_stage, kind = _names(models, step)
    cause = step.cause
    return Transition(
        site,
        person_id,
        model,
        from_stage,
        to_stage,
        kind,
        step.time,
        step.ordinal,
        step.dwell_ms,
        cause.event,
        cause.url,
        cause.channel,
        cause.session_id,
        withdrawn,
        version,
    )


def _facts(
    models: Models, site: str, gone: dict[Key, Step], said: dict[Key, Step]
) -> Iterable[TransitionFact]:
    for sign, steps, others in ((-1, gone, said), (1, said, gone)):
        for key, step in steps.items():
            other = others.get(key)
            if other is None or _names(models, other) != _names(models, step):
                yield TransitionFact(site, *_names(models, step)[:3], sign)


def _names(models: Models, step: Step) -> tuple[str, str, str, Kind]:
    """Model, stage left ("" is none), stage entered, and the kind of such a step."""
    return models.step_names(step.model, step.from_stage, step.to_stage)
