"""The linear funnel of a stage model beside what people really did, and where the two disagree.

Persons are those whose journey in the model began in the scope; they are followed to its end. A funnel counts whoever
reached a stage or a later one; the journey knows who was in it. Flows are the steps between stages: from "" in, to ""
out. Findings are ordered by the persons they concern; each says how many of how many.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from pipeline.journey.scope import Scope, ScopeError
from pipeline.store.client import Reader, rows
from pipeline.store.sql import instant, text

LEAST_SHARE: Final = 0.05  # below it a finding is noise
LEAST_PERSONS: Final = 5
MOST_FINDINGS: Final = 8


class Step(Struct):
    """A stage as the funnel counts it (``reached``, ``step_ratio``), and as people lived it."""

    stage: str
    position: int
    reached: int
    entered: int
    moved_back: int
    exited: int
    now: int
    again: int  # persons who entered it more than once
    median_seconds: float | None  # of the stays that ended
    step_ratio: float | None = None  # of those who reached the stage before; None for the first

    @property
    def skipped(self) -> int:
        """Reached a later stage, but never were in this one."""
        return self.reached - self.entered


class Flow(Struct):
    """Steps from one stage to another; ``persons`` took ``moves`` of them."""

    from_stage: str
    to_stage: str
    kind: str
    moves: int
    persons: int
    median_seconds: float | None


class Went(Struct):
    """``persons`` went from one stage to another, however often and of whatever kind; each is counted once."""

    from_stage: str
    to_stage: str
    returned: bool  # a way in after a lapse, not the first
    persons: int


class Finding(Struct):
    """``persons`` of ``of``. kind: narrow, leaves, skipped, jumps, back, again."""

    kind: str
    stage: str
    persons: int
    of: int
    to_stage: str = ""

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.persons / self.of


class Funnel(Struct):
    """All of it, for one model."""

    model: str
    persons: int
    steps: list[Step]
    flows: list[Flow]
    went: list[Went]
    findings: list[Finding]


def funnel_of(reader: Reader, scope: Scope, model: str) -> Funnel:
    """Raises ScopeError if the store knows no such model."""
    stays = _stays(scope, model)
    steps = [Step(**row) for row in rows(reader, _STEPS.format(stays=stays, model=text(model)))]
    if not steps:
        known = ", ".join(
            row["model"] for row in rows(reader, "SELECT DISTINCT model FROM stages ORDER BY model")
        )
        raise ScopeError(f"the store knows no model {model}; there are {known}")
    for before, step in pairwise(steps):
        step.step_ratio = step.reached / before.reached if before.reached else None
    moves = _MOVES.format(stays=stays)
    flows = [Flow(**row) for row in rows(reader, _FLOWS.format(moves=moves))]
    went = [Went(**row) for row in rows(reader, _WENT.format(moves=moves))]
    ((persons,),) = (
        row.values() for row in rows(reader, f"SELECT uniqExact(person_id) AS persons FROM ({stays})")
    )
    return Funnel(model, persons, steps, flows, went, findings(steps, flows))


def findings(steps: Sequence[Step], flows: Sequence[Flow]) -> list[Finding]:
    """What a funnel does not show, or where it is blocked."""
    order = {step.stage: step.position for step in steps}
    found = []
    for before, step in pairwise(steps):
        found.append(
            Finding("narrow", before.stage, before.reached - step.reached, before.reached, step.stage)
        )
    for step in steps:
        found.append(Finding("leaves", step.stage, step.exited, step.entered))
        found.append(Finding("skipped", step.stage, step.skipped, step.reached))
        found.append(Finding("back", step.stage, step.moved_back, step.entered))
        found.append(Finding("again", step.stage, step.again, step.entered))
    entered = {step.stage: step.entered for step in steps}
    for flow in flows:
        jump = flow.kind == "advance" and order[flow.to_stage] - order[flow.from_stage] > 1
        if jump:
            found.append(
                Finding("jumps", flow.from_stage, flow.persons, entered[flow.from_stage], flow.to_stage)
            )
    blocked = max(
        (one for one in found if one.kind == "narrow"), key=lambda one: (one.persons, one.stage), default=None
    )
    told = [
        one
        for one in found
        if one.persons >= LEAST_PERSONS
        and one.share >= LEAST_SHARE
        and (one.kind != "narrow" or one is blocked)
    ]
    return sorted(told, key=lambda one: (-one.persons, one.kind, one.stage, one.to_stage))[:MOST_FINDINGS]


def _stays(scope: Scope, model: str) -> str:
    """The stays of the persons whose journey began in the scope; one that ends after it has not ended yet."""
    end = instant(scope.end_ms)
    one = f"site = {text(scope.site)} AND model = {text(model)}"
    return (
        f"SELECT *, left_time < {end} AS ended FROM stage_visits WHERE {one} AND entered_time < {end} AND person_id IN "
        f"(SELECT person_id FROM stage_visits WHERE {one} GROUP BY person_id "
        f"HAVING min(entered_time) >= {instant(scope.start_ms)})"
    )


_STEPS = """
WITH
    stays AS ({stays}),
    persons AS
    (
        SELECT
            person_id, max(position) AS highest, groupArray(position) AS entered,
            groupArrayIf(position, ended AND left_kind = 'regress') AS moved_back,
            groupArrayIf(position, ended AND exited) AS exited,
            groupArrayIf(position, NOT ifNull(ended, 0)) AS now
        FROM stays GROUP BY person_id
    ),
    dwell AS
    (
        SELECT position, quantileExactIf(stays.dwell_ms, ended) / 1000 AS seconds, countIf(ended) AS number
        FROM stays GROUP BY position
    )
SELECT
    s.stage AS stage, s.position AS position,
    countIf(p.highest >= s.position) AS reached,
    countIf(has(p.entered, s.position)) AS entered,
    countIf(has(p.moved_back, s.position)) AS moved_back,
    countIf(has(p.exited, s.position)) AS exited,
    countIf(has(p.now, s.position)) AS now,
    countIf(countEqual(p.entered, s.position) > 1) AS again,
    if(any(d.number) = 0, NULL, any(d.seconds)) AS median_seconds
FROM (SELECT stage, position FROM stages WHERE model = {model}) AS s
LEFT JOIN persons AS p ON 1
LEFT JOIN dwell AS d ON d.position = s.position
GROUP BY stage, position
ORDER BY position
SETTINGS join_use_nulls = 0
"""

_MOVES = """
SELECT previous_stage AS from_stage, stage AS to_stage, entered_kind AS kind, person_id, NULL AS dwell_ms
FROM ({stays}) WHERE previous_stage = ''
UNION ALL
SELECT stage AS from_stage, next_stage AS to_stage, left_kind AS kind, person_id, dwell_ms
FROM ({stays}) WHERE ended
"""

_FLOWS = """
SELECT
    from_stage, to_stage, kind, count() AS moves, uniqExact(person_id) AS persons,
    quantileExact(moves.dwell_ms) / 1000 AS median_seconds
FROM ({moves}) AS moves GROUP BY from_stage, to_stage, kind ORDER BY from_stage, to_stage, kind
"""

_WENT = """
SELECT from_stage, to_stage, CAST(kind = 'return' AS Bool) AS returned, uniqExact(person_id) AS persons
FROM ({moves}) GROUP BY from_stage, to_stage, returned ORDER BY from_stage, to_stage, returned
"""
