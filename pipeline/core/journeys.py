"""The journeys' hop for one partition: evidence in; transitions, and facts for the counters, out.

The stage is a fold over a person's evidence in event-time order (``pipeline.core.stage_fold``). The stages a person is
in are a state of an automaton; what evidence does to it depends on that state, on the evidence's kind, on the number of
orders and on which conditions on time hold. So a batch of evidence that comes after all that is known of its persons is
folded with one look-up a piece.

Any other evidence is late (also evidence of the very same millisecond): what comes after it is folded again, and the
transitions that no longer hold are withdrawn. So the transitions that are not withdrawn depend on the set of the
evidence, never on its order or batching. Equal evidence twice counts twice.

A journey keeps its newest evidence, up to MAX_EVIDENCE pieces; beyond that all but the newest half of that many are
folded into a checkpoint for good. Evidence at or before a checkpoint cannot be placed any more: it is left out and
counted in ``missed``.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.core.evidence import Arrived, arrived
from pipeline.core.ids import SEPARATOR
from pipeline.core.models import Models
from pipeline.core.moves import Moves, columns_of
from pipeline.core.person_table import PersonTable
from pipeline.core.slots import Index
from pipeline.core.stage_fold import Step, fold, in_order, nowhere
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition

MAX_EVIDENCE: Final = 2_000

StepKey = tuple[int, int, int]  # model, time, ordinal
Change = tuple[str, str, str, str]  # site, model, stage left ("" is none), stage entered


class Output(NamedTuple):
    """``columns``: transitions as columns of their rows, or None; ``corrections``: more of them, some withdrawn.

    ``changes``: how many of each more, or less. ``state``: the journal's entry, which needs those from ``needed`` on.
    """

    columns: dict[str, Sequence[Any]] | None
    corrections: list[Transition]
    changes: Counter[Change]
    state: bytes
    needed: int


class Journeys:
    """The persons of one partition. Good for the models whose fingerprint the state was made with."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._table = PersonTable(len(models.models))
        self._moves = Moves(models)

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up the journal's entries again, with their numbers, oldest first."""
        self._table.restore(entries)

    def take(self, messages: Iterable[EvidenceBatch], version: int, number: int) -> Output:
        """One unit of work. ``number``: that of the journal's entry."""
        found = arrived(messages)
        table = self._table
        who = table.slots(found.persons)[found.person]
        order = np.lexsort((found.time, who))
        is_late = self._late(who[order], found.time[order])
        fast, slow = order[~is_late], order[is_late]
        changes: Counter[Change] = Counter()
        columns, corrections = None, list[Transition]()
        if len(fast):
            columns = self._on_time(found, who[fast], fast, version, changes)
        for person in np.unique(who[slow]).tolist():
            new = [found.evidence(row) for row in slow[who[slow] == person].tolist()]
            corrections += self._again(person, sorted(new, key=in_order), version, changes)
        touched = np.unique(who)
        for person in touched[table.persons["size"][touched] > MAX_EVIDENCE].tolist():
            self._fold_into_checkpoint(person)
        state, needed = table.changes(number)
        return Output(columns, corrections, changes, state, needed)

    def erase(self, keys: Iterable[str], number: int) -> tuple[bytes, int]:
        """Forget these persons (site, 0x1F, person): the journal's entry, and the first one it needs."""
        self._table.erase(keys)
        return self._table.changes(number)

    def _late(self, who: Index, time: Index) -> Any:
        """Which of the sorted pieces belong to a person of whom any is late, or has the same time as another."""
        same = who[1:] == who[:-1]
        late = np.concatenate(([False], same & (time[1:] == time[:-1])))
        late |= time <= self._table.persons["last"][who]
        return np.isin(who, np.unique(who[late]))

    def _on_time(
        self, found: Arrived, who: Index, rows: Index, version: int, changes: Counter[Change]
    ) -> dict[str, Sequence[Any]] | None:
        time = found.time[rows]
        steps = self._moves.take(self._table, who, time, found.kinds, found.kind[rows])
        self._table.append(who, found.columns(rows))
        if steps is None:
            return None
        keys = [key.partition(SEPARATOR) for key in self._table.persons["key"][steps.who].tolist()]
        sites = [site for site, _, _ in keys]
        for (site, step), count in Counter(zip(sites, steps.name.tolist(), strict=True)).items():
            changes[(site, *self._moves.names[step][:3])] += count
        persons = [person for _, _, person in keys]
        return columns_of(steps, sites, persons, self._moves.names, found.causes(rows[steps.row]), version)

    def _again(
        self, person: int, new: list[Evidence], version: int, changes: Counter[Change]
    ) -> list[Transition]:
        """Fold late evidence of one person in; the rows that take away, and those that hold instead."""
        gone, said = self._refold(person, new)
        site, _, name = self._table.persons["key"][person].partition(SEPARATOR)
        for sign, steps in ((-1, gone), (1, said)):
            for step in steps.values():
                changes[(site, *self._names(step)[:3])] += sign
        withdrawn = [step for key, step in gone.items() if key not in said]
        return [
            self._transition(site, name, step, version, withdrawn=is_gone)
            for steps, is_gone in ((withdrawn, True), (said.values(), False))
            for step in steps
        ]

    def _refold(self, person: int, new: list[Evidence]) -> tuple[dict[StepKey, Step], dict[StepKey, Step]]:
        """The steps that no longer hold as they were, and those that hold now instead or in addition."""
        models, table = self._models, self._table
        start = table.checkpoint(person) or nowhere(models)
        placed = [one for one in new if start.last is None or one.time > start.last]
        table.persons["missed"][person] += len(new) - len(placed)
        table.persons.touch(np.array([person]))
        if not placed:
            return {}, {}
        known = table.history(person)
        cut = bisect_left(known, in_order(placed[0]), key=in_order)
        state = copy(start)
        fold(models, state, known[:cut])
        before = _by_key(fold(models, copy(state), known[cut:]))
        rest = sorted([*known[cut:], *placed], key=in_order)
        after = _by_key(fold(models, state, rest))
        table.rewrite(person, [*known[:cut], *rest])
        table.set_state(person, state)
        gone = {key: step for key, step in before.items() if after.get(key) != step}
        said = {key: step for key, step in after.items() if before.get(key) != step}
        return gone, said

    def _fold_into_checkpoint(self, person: int) -> None:
        models, table = self._models, self._table
        evidence = table.history(person)
        cut = len(evidence) - MAX_EVIDENCE // 2
        checkpoint = table.checkpoint(person) or nowhere(models)
        fold(models, checkpoint, evidence[:cut])
        table.set_checkpoint(person, checkpoint)
        table.rewrite(person, evidence[cut:])

    def _names(self, step: Step) -> tuple[str, str, str, str]:
        return self._models.step_names(step.model, step.from_stage, step.to_stage)

    def _transition(
        self, site: str, person_id: str, step: Step, version: int, *, withdrawn: bool
    ) -> Transition:
        model, from_stage, to_stage, kind = self._models.step_names(
            step.model, step.from_stage, step.to_stage
        )
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


def _by_key(steps: Iterable[Step]) -> dict[StepKey, Step]:
    return {(step.model, step.time, step.ordinal): step for step in steps}
