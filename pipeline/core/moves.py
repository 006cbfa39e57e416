"""What evidence that comes on time does to many persons at once. Columns are sorted by person, then time.

The stages of a person in all models are one state of an automaton. Its steps are worked out by the models' plans when
they are first needed, and remembered.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.core.coded import Coded, combined
from pipeline.core.hit_columns import Columns
from pipeline.core.models import Models
from pipeline.core.numbers import numbered
from pipeline.core.person_table import NONE_MS, PersonTable, starts_of
from pipeline.core.plans import NO_SINCE, Plan
from pipeline.core.slots import Array, Index
from schemas.evidence import Kind
from schemas.transition import Kind as StepKind

MOST_REMEMBERED: Final = 200_000
_decode_recent = msgspec.msgpack.Decoder(dict[int, tuple[int, ...]]).decode
_encode = msgspec.msgpack.Encoder().encode


class Steps(NamedTuple):
    """Transitions as columns. ``row``: of the evidence. ``name``: place in :attr:`Moves.names`."""

    who: Index
    row: Index
    name: Index
    time: Index
    ordinal: Index
    dwell: Index


class _Move(NamedTuple):
    """``steps``: (model, stage left or 0, stage entered, place of its names)."""

    to: int
    steps: tuple[tuple[int, int, int, int], ...]


class _Rows(NamedTuple):
    """``starts``: each person's first row; ``person``: of each row, among those. ``first last_order before``: times as
    they are when the row is taken in.
    """

    who: Index
    time: Index
    plan: Index
    starts: Index
    person: Index
    orders: Index  # with this one
    first: Index
    last_order: Index
    before: Index


class Moves:
    """The automaton of a set of models. ``names``: model, stage left, stage entered and kind of each step."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.names: list[tuple[str, str, str, str]] = []
        self._name_code: dict[tuple[int, int, int, StepKind], int] = {}
        self._steps: list[tuple[int, int, int, StepKind]] = []  # of each name
        self._forget()

    def _forget(self) -> None:
        self._states: list[bytes] = []
        self._state_code: dict[bytes, int] = {}
        self._plans: list[Plan] = []
        self._plan_code: dict[Kind, int] = {}
        self._known: dict[tuple[int, int, int, int], _Move] = {}

    def take(
        self,
        table: PersonTable,
        who: Index,
        time: Index,
        kinds: Sequence[Kind],
        kind: Index,
        is_referral: Array,
    ) -> Steps | None:
        """Move the persons on; the transitions that makes. Nobody among them has lapsed, or does so on the way."""
        if max(len(self._known), len(self._plans), len(self._states)) > MOST_REMEMBERED:
            self._forget()
        plans = np.array([self._plan(one) for one in kinds])
        rows = self._rows(table, who, time, plans[kind])
        walked = list(self._walk(table, rows, self._held(table, rows)))
        self._keep_times(table, rows)
        if not walked:
            return None
        parts = [self._one(table, rows, at, step) for at, move in walked for step in move.steps]
        steps = Steps(*map(np.concatenate, zip(*parts, strict=True)))
        if is_referral.any():
            self._name_loops(steps, is_referral)
        return steps

    def _name_loops(self, steps: Steps, is_referral: Array) -> None:
        for at in np.flatnonzero(is_referral[steps.row]).tolist():
            model, left, entered, _ = self._steps[steps.name[at]]
            if not left:
                steps.name[at] = self._name(model, left, entered, StepKind.LOOP)

    def _plan(self, kind: Kind) -> int:
        code = self._plan_code.get(kind)
        if code is None:
            code = self._plan_code[kind] = len(self._plans)
            self._plans.append(self._models.plan_of(kind))
        return code

    def _rows(self, table: PersonTable, who: Index, time: Index, plan: Index) -> _Rows:
        persons, starts = table.persons, starts_of(who)
        counts = np.diff(np.append(starts, len(who)))
        begin = np.repeat(starts, counts)  # of the person's rows
        is_order = np.array([one.is_order for one in self._plans])[plan]
        last_order, orders = persons["last_order"][who], persons["orders"][who]
        if is_order.any():
            so_far = np.cumsum(is_order)
            orders = orders + so_far - (so_far - is_order)[begin]
            latest = np.maximum.accumulate(np.where(is_order, np.arange(len(who)), -1))
            earlier = np.concatenate(([-1], latest[:-1]))
            last_order = np.where(earlier >= begin, time[earlier], last_order)
        first = persons["first"][who[starts]]
        before = np.concatenate((time[:1], time[:-1]))
        before[starts] = persons["last"][who[starts]]
        first = np.repeat(np.where(first == NONE_MS, time[starts], first), counts)
        first[starts] = persons["first"][who[starts]]
        person = np.repeat(np.arange(len(starts)), counts)
        return _Rows(who, time, plan, starts, person, orders, first, last_order, before)

    def _held(self, table: PersonTable, rows: _Rows) -> Index:
        """Per row the bits of the plan's timed rules that hold."""
        held = np.zeros(len(rows.who), np.int64)
        starts = {"order": rows.last_order, "previous": rows.before, "first": rows.first}
        counting = []
        for code in np.flatnonzero(np.bincount(rows.plan)).tolist():
            plan = self._plans[code]
            timed = plan.since_order + plan.timed
            if not timed:
                continue
            at = np.flatnonzero(rows.plan == code)
            for one in timed:
                if one.of != NO_SINCE:
                    start = starts[one.of][at]
                    since = rows.time[at] - start
                    held[at] |= one.bit * ((start != NONE_MS) & (since >= one.min_ms) & (since <= one.max_ms))
            if any(one.earlier for one in timed):
                counting += at.tolist()
        self._count(table, rows, sorted(counting), held)
        return held

    def _count(self, table: PersonTable, rows: _Rows, at: list[int], held: Index) -> None:
        """Rules with ``count`` look at their newest matches: row by row."""
        recent = table.persons["recent"]
        for row in at:
            who, time = rows.who[row], int(rows.time[row])
            newest = _decode_recent(recent[who]) if recent[who] else {}
            for one in self._plans[rows.plan[row]].timed:
                if not one.earlier:
                    continue
                times = newest.get(one.id, ())
                is_many = len(times) == one.earlier and times[0] >= time - one.window_ms
                if one.of == NO_SINCE and is_many:
                    held[row] |= one.bit
                elif not is_many:
                    held[row] &= ~one.bit
                newest[one.id] = (*times, time)[-one.earlier :]
            recent[who] = _encode(newest)

    def _walk(self, table: PersonTable, rows: _Rows, held: Index) -> Iterator[tuple[Index, _Move]]:
        """The rows that move their person, and how: all first moves, then all second ones. Most persons stay where they
        are.
        """
        state = self._state_codes(table.persons["stages"][rows.who[rows.starts]])
        orders = np.minimum(rows.orders, self._models.order_limit)
        first, bits = numbered(held)
        what = combined(
            Coded(rows.plan, range(len(self._plans))),
            Coded(orders, range(self._models.order_limit + 1)),
            Coded(bits, held[first].tolist()),
        )
        at = np.arange(len(rows.who))
        while len(at):
            asked = combined(Coded(state[rows.person[at]], range(len(self._states))), what.at(at))
            moves = [self._move(one, *of) for one, of in asked.values]
            moving = np.flatnonzero(np.array([bool(move.steps) for move in moves])[asked.codes])
            moving = moving[starts_of(rows.person[at[moving]])]
            chosen, which, until = at[moving], asked.codes[moving], np.full(len(state), len(rows.who))
            for number in np.flatnonzero(np.bincount(which)).tolist():
                yield chosen[which == number], moves[number]
            state[rows.person[chosen]] = np.array([move.to for move in moves])[which]
            until[rows.person[chosen]] = chosen
            at = at[at > until[rows.person[at]]]

    def _move(self, state: int, plan: int, orders: int, held: int) -> _Move:
        key = (state, plan, orders, held)
        move = self._known.get(key)
        if move is None:
            move = self._known[key] = self._work_out(*key)
        return move

    def _state_codes(self, stages: Array) -> Index:
        of = combined(*(Coded(column.astype(np.int64), range(256)) for column in stages.T))
        return np.array([self._state(bytes(one)) for one in of.values])[of.codes]

    def _state(self, stages: bytes) -> int:
        code = self._state_code.get(stages)
        if code is None:
            code = self._state_code[stages] = len(self._states)
            self._states.append(stages)
        return code

    def _work_out(self, state: int, plan: int, orders: int, held: int) -> _Move:
        stages = bytearray(self._states[state])
        steps = []
        for model, stage in self._plans[plan].decide(bytes(stages), orders, held):
            steps.append((model, stages[model], stage, self._name(model, stages[model], stage)))
            stages[model] = stage
        return _Move(self._state(bytes(stages)), tuple(steps))

    def _name(self, model: int, left: int, entered: int, beginning: StepKind = StepKind.ENTER) -> int:
        step = (model, left, entered, beginning)
        code = self._name_code.get(step)
        if code is None:
            code = self._name_code[step] = len(self.names)
            self._steps.append(step)
            self.names.append(self._models.step_names(*step))
        return code

    @staticmethod
    def _keep_times(table: PersonTable, rows: _Rows) -> None:
        persons, first = table.persons, rows.starts
        last = np.append(first[1:], len(rows.who)) - 1
        who = rows.who[first]
        new = persons["first"][who] == NONE_MS
        persons["first"][who[new]] = rows.time[first[new]]
        persons["last"][who] = rows.time[last]
        is_order = rows.orders[last] > np.where(first == last, persons["orders"][who], rows.orders[last - 1])
        persons["last_order"][who] = np.where(is_order, rows.time[last], rows.last_order[last])
        persons["orders"][who] = rows.orders[last]
        persons.touch(who)

    @staticmethod
    def _one(
        table: PersonTable, rows: _Rows, at: Index, step: tuple[int, int, int, int]
    ) -> tuple[Index, Index, Index, Index, Index, Index]:
        model, left, entered, name = step
        persons, who, time = table.persons, rows.who[at], rows.time[at]
        dwell = time - persons["entered"][who, model] if left else np.zeros(len(at), np.int64)
        ordinal = persons["steps"][who, model]
        persons["stages"][who, model] = entered
        persons["entered"][who, model] = time
        persons["steps"][who, model] = ordinal + 1
        return who, at, np.full(len(at), name), time, ordinal, dwell


def columns_of(
    steps: Steps,
    said: Mapping[str, Coded],
    names: Sequence[tuple[str, str, str, str]],
    version: int,
) -> Columns:
    """Transitions as columns of ``schemas.rows.TRANSITION_ROWS``. ``said``: site, person_id and cause_*."""
    model, left, entered, kind = zip(*names, strict=True)
    return {
        **said,
        "model": Coded(steps.name, model),
        "from_stage": Coded(steps.name, left),
        "to_stage": Coded(steps.name, entered),
        "kind": Coded(steps.name, kind),
        "time": steps.time,
        "ordinal": steps.ordinal,
        "dwell_ms": steps.dwell,
        "withdrawn": np.zeros(len(steps.row), np.bool_),
        "version": np.full(len(steps.row), version),
    }
