"""Persons of whom nothing has been heard for longest: out of the columns, packed, in a state by key, perhaps on disk.

Beyond ``most`` rows in the columns the others leave, at the end of a unit of work: the rows are gone round, and who has
not been touched since the last round goes. Who is told of comes back before that is taken in, and so does who is due:
whose journey in a model ends, if nothing comes. A visitor whose evidence is its owners' has a second row (AWAY), which
comes back with it. So what is said is the same with any limit; which rows are where is nobody else's affair.

The owner of the state knows when rows in it are due: each begins with that time. Times in ms.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from pipeline.core.homes import AWAY, Homes
from pipeline.core.ids import hex_ids
from pipeline.core.person_table import NONE_MS, PersonTable
from pipeline.core.persons.identity import Owners
from pipeline.core.slots import Array, Index, objects
from pipeline.core.stage_fold import State
from schemas.evidence import Evidence, EvidenceBatch, Kind

_CHUNK: Final = 1_000  # of those who are due: the others stay packed meanwhile
_LEAST_SWEEP: Final = 1_024
_encode = msgspec.msgpack.Encoder().encode
_COLUMNS: Final = (
    "stages", "entered", "steps", "orders", "last_order", "first", "last", "recent", "checkpoint", "owners",
)  # fmt: skip


class Packed(Struct, array_like=True, gc=False):
    """A row of the persons, and its evidence, oldest first. ``due``: when a journey ends, or None."""

    due: int | None
    stages: list[int]
    entered: list[int]
    steps: list[int]
    orders: int
    last_order: int
    first: int
    last: int
    recent: bytes | None
    checkpoint: bytes | None
    owners: bytes | None
    time: list[int]
    kind: list[Kind]
    url: list[str]
    session: bytes  # 16 each
    known: list[bool]


_decode = msgspec.msgpack.Decoder(Packed).decode
_decode_owners = msgspec.msgpack.Decoder(Owners).decode
_decode_state = msgspec.msgpack.Decoder(State).decode
History = tuple[str, list[Evidence], State | None]


class Silent:
    """Of one table of persons, which keeps all until :meth:`use`. ``lapse_ms``: of each model."""

    def __init__(self, table: PersonTable, homes: Homes, lapse_ms: Iterable[int]) -> None:
        self._table, self._homes = table, homes
        self._lapse_ms = tuple(lapse_ms)
        self._states: MutableMapping[str, bytes] = {}
        self._due: Callable[[int], list[str]] = lambda _until: []
        self._most: int | None = None
        self._is_recent = np.zeros(0, np.bool_)
        self._hand = 0  # where the round goes on

    def use(
        self, states: MutableMapping[str, bytes], due: Callable[[int], list[str]], most: int | None
    ) -> None:
        """``states``: key -> packed. ``due``: (until) -> keys of those in it that are due by then."""
        self._states, self._due, self._most = states, due, most

    def wake(self, messages: Iterable[EvidenceBatch]) -> None:
        """Who is told of comes back."""
        if self._states:
            keys = {key for message in messages for key in message.persons}
            moving = {key for message in messages for key, _, _ in message.owners}
            self._wake(keys | moving)
            self._wake(AWAY + key for key in keys | moving if key in moving or key in self._homes)

    def due(self, until: int) -> Iterator[int]:
        """Rows of those whose journey may have ended by then. Some packed ones at a time: those before may leave."""
        persons = self._table.persons
        is_due = persons["live"] & (persons["last"] > NONE_MS) & (persons["size"] > 0)
        is_due &= persons["last"] < until - min(self._lapse_ms)
        is_due &= persons["stages"].any(axis=1)
        yield from np.flatnonzero(is_due).tolist()
        keys = self._due(until)
        for at in range(0, len(keys), _CHUNK):
            chunk = keys[at : at + _CHUNK]
            self._wake(chunk)
            yield from [self._table.slot_of[key] for key in chunk]
            self.leave()

    def erase(self, keys: Iterable[str]) -> list[str]:
        """Forget these persons and visitors; says who they are."""
        keys = list(keys)
        for key in keys:
            self._states.pop(key, None)
            self._states.pop(AWAY + key, None)
        return keys

    def owners(self) -> dict[str, Owners]:
        """Key of each visitor that has owners, of those who are packed -> who they are."""
        return owners_of(self._states)

    def histories(self) -> Iterator[History]:
        """Of all persons and visitors, also of those in the table."""
        return histories_of(self._table, self._states)

    def leave(self) -> None:
        """End of a unit of work: those above the limit go."""
        persons = self._table.persons
        excess = 0 if self._most is None else len(persons) - self._most
        if excess <= 0:
            return
        more = len(persons["live"]) - len(self._is_recent)
        self._is_recent = np.concatenate((self._is_recent, np.zeros(max(more, 0), np.bool_)))
        self._is_recent[persons.touched] = True
        leaving: list[Index] = []
        while excess > 0:
            found = self._sweep(persons["live"], excess)
            leaving.append(found)
            excess -= len(found)
            self._pack(found)

    def _sweep(self, live: Array, most: int) -> Index:
        """Who has not been touched since the last round, of the next rows, up to so many."""
        end = min(self._hand + max(4 * most, _LEAST_SWEEP), len(live))
        found = np.flatnonzero(live[self._hand : end] & ~self._is_recent[self._hand : end]) + self._hand
        if len(found) > most:
            found = found[:most]
            end = int(found[-1]) + 1
        self._is_recent[self._hand : end] = False
        self._hand = 0 if end == len(live) else end
        return found

    def _pack(self, slots: Index) -> None:
        table, states = self._table, self._states
        persons, evidence = table.persons, table.evidence
        keys = persons["key"][slots].tolist()
        rows = zip(*(persons[name][slots].tolist() for name in _COLUMNS), strict=True)
        chains = [table.chain(slot) for slot in slots.tolist()]
        places = np.concatenate([*chains, np.empty(0, np.int64)])
        time, kind, url, known = (
            evidence[name][places].tolist() for name in ("time", "kind", "url", "known")
        )
        session = evidence["session"][places].tobytes()
        begin = 0
        for key, row, chain in zip(keys, rows, chains, strict=True):
            end = begin + len(chain)
            values: list[Any] = [
                self._ends(row[0], row[6]) if len(chain) else None,
                *row,
                time[begin:end],
                kind[begin:end],
                url[begin:end],
                session[16 * begin : 16 * end],
                known[begin:end],
            ]
            states[key] = _encode(values)
            begin = end
        table.leave(slots, keys, places)
        self._homes.left(keys)

    def _ends(self, stages: list[int], last: int) -> int | None:
        """When a journey of the person has ended, if nothing comes; None: all have ended."""
        if last == NONE_MS:
            return None
        ends = [lapse for stage, lapse in zip(stages, self._lapse_ms, strict=True) if stage]
        return last + min(ends) + 1 if ends else None

    def _wake(self, keys: Iterable[str]) -> None:
        slot_of, states = self._table.slot_of, self._states
        found: dict[str, Packed] = {}
        for key in sorted(keys):
            if key not in slot_of and (packed := states.get(key)) is not None:
                found[key] = _decode(packed)
                del states[key]
        if not found:
            return
        persons, rows = self._table.persons, list(found.values())
        slots = self._table.slots(list(found))
        for name in _COLUMNS:
            column = persons[name]
            if column.dtype == object:
                for slot, one in zip(slots.tolist(), rows, strict=True):
                    column[slot] = getattr(one, name)
            else:
                column[slots] = [getattr(one, name) for one in rows]
        self._unpack_evidence(slots, rows)
        self._homes.came((key, _decode_owners(one.owners)) for key, one in found.items() if one.owners)

    def _unpack_evidence(self, slots: Index, rows: list[Packed]) -> None:
        counts = np.array([len(one.time) for one in rows])
        if not counts.any():
            return
        same: dict[Kind, Kind] = {}
        columns: dict[str, Any] = {
            "time": np.array([time for one in rows for time in one.time], np.int64),
            "kind": objects([same.setdefault(kind, kind) for one in rows for kind in one.kind]),
            "url": objects([url for one in rows for url in one.url]),
            "session": np.frombuffer(b"".join(one.session for one in rows), "V16"),
            "known": np.array([known for one in rows for known in one.known], np.bool_),
        }
        self._table.append(np.repeat(slots, counts), columns)


def histories_of(table: PersonTable, states: MutableMapping[str, bytes]) -> Iterator[History]:
    """Key, evidence that is kept, oldest first, and the checkpoint before it, of all persons and visitors."""
    for key, slot in table.slot_of.items():
        yield key, table.history(slot), table.checkpoint(slot)
    for key in states:
        one = _decode(states[key])
        sessions = hex_ids(np.frombuffer(one.session, "V16"))
        columns = zip(one.time, one.kind, one.url, sessions, one.known, strict=True)
        evidence = [
            Evidence(time, kind[0], kind[1], url, kind[2], session, known)
            for time, kind, url, session, known in columns
        ]
        yield key, evidence, None if one.checkpoint is None else _decode_state(one.checkpoint)


def owners_of(states: MutableMapping[str, bytes]) -> dict[str, Owners]:
    """Key of each visitor among them that has owners -> who they are."""
    found = {}
    for key in states:
        owners = _decode(states[key]).owners
        if owners:
            found[key] = _decode_owners(owners)
    return found
