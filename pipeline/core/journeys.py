"""The journeys' hop for one partition: evidence in; transitions, and facts for the counters, out.

The stage is a fold over a person's evidence in event-time order (``pipeline.core.stage_fold``). The stages a person is
in are a state of an automaton; what evidence does to it depends on that state, on the evidence's kind, on the number of
orders and on which conditions on time hold. So a batch of evidence that comes after all that is known of its persons is
folded with one look-up a piece.

Any other evidence is late (also evidence of the very same millisecond, or after a silence that may have ended a
journey): what comes after it is folded again, and the transitions that no longer hold are withdrawn. So is evidence
that leaves: it has become another person's (``pipeline.core.homes``). So the transitions that are not withdrawn depend
on the set of the evidence, never on its order or batching. Equal evidence twice counts twice.

A journey keeps its newest evidence, up to MAX_EVIDENCE pieces; beyond that all but the newest half of that many are
folded into a checkpoint for good. Evidence at or before a checkpoint cannot be placed any more: it is left out, and
counted as ``missed``.

Journeys lapse when time has passed them by, as far as all sources have come, to the full minute. At the end of bounded
input time is the greatest that any source has seen.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Struct

from pipeline.core.coded import Coded, coded, combined
from pipeline.core.evidence import Arrived, arrived
from pipeline.core.hit_columns import Columns
from pipeline.core.homes import Homes, Passed
from pipeline.core.ids import SEPARATOR
from pipeline.core.keys import halves
from pipeline.core.models import Models
from pipeline.core.moves import Moves, columns_of
from pipeline.core.numbers import numbered
from pipeline.core.person_table import MAX_EVIDENCE, NONE_MS, PersonTable, pieces, starts_of
from pipeline.core.persons.identity import Owners
from pipeline.core.refolding import fold_into_checkpoint, refold
from pipeline.core.silent import Silent
from pipeline.core.slots import Index
from pipeline.core.stage_fold import Step, lapse
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Kind, Transition

GRAIN_MS: Final = 60_000
NEVER_MS: Final = -(1 << 62)
Change = tuple[str, str, str, str]  # site, model, stage left ("" is none), stage entered
StepNames = tuple[str, str, str, str]
Stay = tuple[str, str, str, int, bool]


class Output(NamedTuple):
    """``corrections``: transitions, some withdrawn. ``columns``: more, said after them, as columns of rows, or None.

    ``changes``: how many of each more, or less. ``state``: the journal's entry, which needs those from ``needed`` on.
    ``passed``: to the persons whose evidence it is. ``stays``: (site, model, stage, minute, was it a lapse) of stages
    left, how many. ``regressed``: (person's key, model, time, 1 or -1) where watched. ``missed``: evidence left out.
    """

    columns: Columns | None
    corrections: list[Transition]
    changes: Counter[Change]
    state: bytes
    needed: int
    passed: list[Passed]
    stays: Counter[Stay]
    regressed: list[tuple[str, str, int, int]]
    missed: int


class Clock(Struct, array_like=True):
    """``passed``: journeys have lapsed up to here. ``sources``: partition of hits -> its watermark."""

    passed: int = NEVER_MS
    sources: dict[int, int] = {}


class Journeys:
    """The persons of one partition. Good for the models that the state was made with.

    ``clock`` is part of the state, and the caller's to store. Bounded input lets no time pass before its end.
    """

    def __init__(self, models: Models, *, bounded: bool = False, watched: Iterable[str] = ()) -> None:
        self._models, self._bounded, self.digests = models, bounded, models.digests
        self._watched = frozenset(watched)
        self._stays: Counter[Stay] = Counter()
        self._regressed: list[tuple[str, str, int, int]] = []
        self._missed = 0
        self._table = PersonTable(len(models.models))
        self._moves = Moves(models)
        self._homes = Homes(self._table)
        self.silent = Silent(self._table, self._homes, models.lapse_ms)
        self.clock = Clock()

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up the journal's entries again, with their numbers, oldest first; the clock is the caller's affair."""
        self._table.restore(entries)
        self._homes.restore()

    @property
    def owners(self) -> dict[str, Owners]:
        """Key of each visitor that has owners -> who they are."""
        return self._table.owners() | self.silent.owners()

    def take(
        self, messages: Sequence[EvidenceBatch], version: int, number: int, *, is_final: bool = False
    ) -> Output:
        """One unit of work. ``number``: that of the journal's entry. ``is_final``: the input ends here."""
        table = self._table
        changes: Counter[Change] = Counter()
        columns, corrections, passed = None, list[Transition](), list[Passed]()
        self.silent.wake(messages)
        owners = [one for message in messages for one in message.owners]
        self._homes.expect(key for key, _, _ in owners)
        for key, since, users in owners:
            moved = self._homes.own(key, (tuple(since), tuple(users)), passed)
            corrections += self._again(moved.home, moved.back, moved.leaving, version, changes)
        if any(message.time for message in messages):
            found = arrived(messages)
            rows = self._homes.keep(found, passed)
            who = table.slots(found.persons)[found.person]
            order = rows[np.lexsort((found.time[rows], who[rows]))]
            whose = who[order]
            is_late = self._late(whose, found.time[order], found.sign[order])
            fast, slow = order[~is_late], order[is_late]
            if len(fast):
                columns = self._on_time(found, who[fast], fast, version, changes)
            late = zip(
                who[slow].tolist(), found.sign[slow].tolist(), pieces(found.columns(slow)), strict=True
            )
            for person, mine in groupby(late, itemgetter(0)):
                told = [(one, sign) for _, sign, one in mine]
                come, gone = ([one for one, sign in told if sign == wanted] for wanted in (1, -1))
                corrections += self._again(person, come, gone, version, changes)
            touched = whose[starts_of(whose)]
            for person in touched[table.persons["size"][touched] > MAX_EVIDENCE].tolist():
                fold_into_checkpoint(self._models, table, person, MAX_EVIDENCE // 2)
        corrections += self._pass_time(messages, version, changes, is_final=is_final)
        self.silent.leave()
        state, needed = table.changes(number)
        stays, self._stays = self._stays, Counter()
        regressed, self._regressed = self._regressed, []
        missed, self._missed = self._missed, 0
        return Output(columns, corrections, changes, state, needed, passed, stays, regressed, missed)

    def _pass_time(
        self, messages: Iterable[EvidenceBatch], version: int, changes: Counter[Change], *, is_final: bool
    ) -> list[Transition]:
        """Let the journeys lapse that nothing has happened in for too long."""
        clock, table = self.clock, self._table
        for message in messages:
            if message.watermark is not None:
                known = clock.sources.get(message.source, NEVER_MS)
                clock.sources[message.source] = max(message.watermark, known)
        if not clock.sources or (self._bounded and not is_final):
            return []
        time = max(clock.sources.values()) if is_final else min(clock.sources.values())
        time -= 0 if is_final else time % GRAIN_MS
        clock.passed = max(clock.passed, time)
        found: list[Transition] = []
        for person in self.silent.due(clock.passed):
            state = table.state(person)
            steps = lapse(self._models, state, clock.passed)
            if steps:
                table.set_state(person, state)
                found += self._say(person, steps, version, changes)
        return found

    def _say(
        self, person: int, steps: Iterable[Step], version: int, changes: Counter[Change]
    ) -> list[Transition]:
        key = self._table.persons["key"][person]
        site, _, name = key.partition(SEPARATOR)
        found = []
        for step in steps:
            self._count(key, site, step, 1, changes)
            found.append(self._transition(site, name, step, version, withdrawn=False))
        return found

    def erase(self, keys: Iterable[str], number: int) -> tuple[bytes, int]:
        """Forget these persons (site, 0x1F, person): the journal's entry, and the first one it needs."""
        self._homes.erase(self.silent.erase(keys))
        return self._table.changes(number)

    def _late(self, who: Index, time: Index, sign: Index) -> Any:
        """Which of the sorted pieces belong to a person of whom any is late, has the same time as another, is taken
        back, or comes after a silence in which a journey may have ended.
        """
        persons, starts = self._table.persons, starts_of(who)
        whose = who[starts]
        before = np.concatenate((time[:1], time[:-1]))
        before[starts] = persons["last"][whose]
        late = (time <= before) | (sign < 0)
        late |= (before > NONE_MS) & (time - before > self._models.least_lapse_ms)
        is_late = np.logical_or.reduceat(late, starts)
        is_late |= ((persons["stages"][whose] == 0) & (persons["steps"][whose] > 0)).any(axis=1)
        return np.repeat(is_late, np.diff(np.append(starts, len(who))))

    def _on_time(
        self, found: Arrived, who: Index, rows: Index, version: int, changes: Counter[Change]
    ) -> Columns | None:
        time = found.time[rows]
        steps = self._moves.take(self._table, who, time, found.kinds, found.kind[rows], found.referrals(rows))
        self._table.append(who, found.columns(rows))
        if steps is None:
            return None
        first, place = numbered(steps.row)  # one piece of evidence moves a person in several models
        keys, names = self._table.persons["key"][steps.who[first]].tolist(), self._moves.names
        sites, persons = halves(keys)
        site = Coded(place, sites).distinct()
        both = combined(site, Coded(steps.name, names))
        for (of, step), count in zip(both.values, np.bincount(both.codes).tolist(), strict=True):
            changes[(of, *step[:3])] += count
        leaves = np.array([bool(left) for _, left, _, _ in names])
        at = np.flatnonzero(leaves[steps.name])
        for of, name, step_time, who_left in zip(
            site.at(at), steps.name[at].tolist(), steps.time[at].tolist(), place[at].tolist(), strict=True
        ):
            self._note_left(of, keys[who_left], names[name], step_time, 1)
        causes = found.causes(rows[steps.row[first]])
        said = {name: coded(place, column) for name, column in (("person_id", persons), *causes.items())}
        return columns_of(steps, {"site": site, **said}, names, version)

    def _again(
        self,
        person: int,
        come: list[Evidence],
        leaving: list[Evidence],
        version: int,
        changes: Counter[Change],
    ) -> list[Transition]:
        """Evidence of one person comes late or leaves; the rows that take away, and those that hold instead."""
        if not come and not leaving:
            return []
        gone, said, missed = refold(self._models, self._table, person, come, leaving, self.clock.passed)
        self._missed += missed
        key = self._table.persons["key"][person]
        site, _, name = key.partition(SEPARATOR)
        for sign, steps in ((-1, gone), (1, said)):
            for step in steps.values():
                self._count(key, site, step, sign, changes)
        withdrawn = [step for key, step in gone.items() if key not in said]
        return [
            self._transition(site, name, step, version, withdrawn=is_gone)
            for steps, is_gone in ((withdrawn, True), (said.values(), False))
            for step in steps
        ]

    def _count(self, key: str, site: str, step: Step, sign: int, changes: Counter[Change]) -> None:
        names = self._names(step)
        changes[(site, *names[:3])] += sign
        self._note_left(site, key, names, step.time, sign)

    def _note_left(self, site: str, key: str, names: StepNames, time: int, sign: int) -> None:
        model, left, entered, kind = names
        if left:
            self._stays[site, model, left, time - time % GRAIN_MS, not entered] += sign
            if kind == Kind.REGRESS and model in self._watched:
                self._regressed.append((key, model, time, sign))

    def _names(self, step: Step) -> tuple[str, str, str, Kind]:
        return self._models.step_names(step.model, step.from_stage, step.to_stage, step.beginning)

    def _transition(
        self, site: str, person_id: str, step: Step, version: int, *, withdrawn: bool
    ) -> Transition:
        cause = (step.cause.event, step.cause.url, step.cause.channel, step.cause.session_id)
        when = (step.time, step.ordinal, step.dwell_ms)
        return Transition(site, person_id, *self._names(step), *when, *cause, withdrawn, version)
