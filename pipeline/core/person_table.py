"""All persons of one partition and their evidence, as columns.

A person's evidence is a chain from the newest piece to older ones. Nothing of it is ever changed when more comes on
time; what comes late has the chain written anew. Times in ms.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from pipeline.core.ids import hex_ids
from pipeline.core.persons.identity import Owners
from pipeline.core.slots import Array, Index, Slots, objects
from pipeline.core.stage_fold import State
from schemas.evidence import Evidence

MAX_EVIDENCE: Final = 2_000  # pieces of one person
NONE_MS: Final = -(1 << 62)  # a time that never was
_NO_PLACE: Final = -1
_encode = msgspec.msgpack.Encoder().encode
_decode_owners = msgspec.msgpack.Decoder(Owners).decode
_decode_state = msgspec.msgpack.Decoder(State).decode


class _Entry(Struct, array_like=True):
    persons: bytes
    evidence: bytes


_decode_entry = msgspec.msgpack.Decoder(_Entry).decode


def _person_columns(models: int) -> dict[str, Any]:
    """``stages entered steps``: per model. ``orders`` to ``recent``: as in :class:`State`."""
    return {
        "key": object,  # site, 0x1F, person
        "stages": (np.uint8, (models,)),
        "entered": (np.int64, (models,)),
        "steps": (np.int32, (models,)),
        "orders": np.int32,
        "last_order": np.int64,
        "first": np.int64,
        "last": np.int64,
        "recent": object,  # msgpack, or None
        "checkpoint": object,  # msgpack of a State, or None
        "size": np.int32,  # pieces of evidence
        "newest": np.int64,  # place of the newest of them
        "owners": object,  # msgpack of a visitor's owners, or None
    }


_EVIDENCE: dict[str, Any] = {
    "time": np.int64,
    "kind": object,
    "url": object,
    "session": "V16",
    "known": np.bool_,
    "before": np.int64,
}


class PersonTable:
    """``models``: how many there are."""

    def __init__(self, models: int) -> None:
        self.persons = Slots(_person_columns(models))
        self.evidence = Slots(_EVIDENCE)
        self.slot_of: dict[str, int] = {}

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up the entries again, oldest first."""
        for number, packed in entries:
            entry = _decode_entry(packed)
            self.persons.take_up(number, entry.persons)
            self.evidence.take_up(number, entry.evidence)
        self.persons.taken_up()
        self.evidence.taken_up()
        live = self.persons.live()
        self.slot_of = dict(zip(self.persons["key"][live].tolist(), live.tolist(), strict=True))

    def changes(self, number: int) -> tuple[bytes, int]:
        """What changed, as the entry of this number; and the number of the first one still needed."""
        persons, needed = self.persons.changes(number)
        evidence, also_needed = self.evidence.changes(number)
        return _encode(_Entry(persons, evidence)), min(needed, also_needed)

    def slots(self, keys: Sequence[str]) -> Index:
        """The persons' slots; who is new gets one."""
        get = self.slot_of.get
        found = np.array([get(key, _NO_PLACE) for key in keys], np.int64)
        new = np.flatnonzero(found == _NO_PLACE)
        if len(new):
            found[new] = slots = self.persons.take(len(new))
            names = [keys[at] for at in new.tolist()]
            self.slot_of.update(zip(names, slots.tolist(), strict=True))
            self.persons["key"][slots] = objects(names)
            self._begin(slots)
        return found

    def _begin(self, slots: Index) -> None:
        for name in ("stages", "entered", "steps", "orders", "size"):
            self.persons[name][slots] = 0
        for name in ("last_order", "first", "last"):
            self.persons[name][slots] = NONE_MS
        self.persons["newest"][slots] = _NO_PLACE

    def append(self, who: Index, columns: dict[str, Array]) -> None:
        """Evidence of persons, sorted by person and time, later than all that is known of each."""
        places, first = self.evidence.take(len(who)), starts_of(who)
        newest = self.persons["newest"]
        before = np.concatenate((places[:1], places[:-1]))
        before[first] = newest[who[first]]
        for name, values in (columns | {"before": before}).items():
            self.evidence[name][places] = values
        last = np.append(first[1:], len(who)) - 1
        newest[who[first]] = places[last]
        self.persons["size"][who[first]] += last - first + 1
        self.persons.touch(who[first])

    def history(self, who: int) -> list[Evidence]:
        """The evidence kept of a person, oldest first."""
        places = self.chain(who)
        if not len(places):
            return []
        return pieces(
            {name: self.evidence[name][places] for name in ("time", "kind", "url", "session", "known")}
        )

    def rewrite(self, who: int, history: Sequence[Evidence]) -> None:
        """Keep this evidence of a person, oldest first, instead of what was kept."""
        places = self.chain(who)
        if len(places):
            self.evidence.free(places)
            self.persons["newest"][who], self.persons["size"][who] = _NO_PLACE, 0
            self.persons.touch(np.array([who]))
        if history:
            self.append(np.full(len(history), who), evidence_columns(history))

    def erase(self, keys: Iterable[str]) -> None:
        """Forget these persons, at once: what is stored from now on holds nothing of them."""
        for key in keys:
            slot = self.slot_of.pop(key, None)
            if slot is not None:
                self.evidence.free(self.chain(slot))
                self.persons.free(np.array([slot]))
        self.persons.write_all()
        self.evidence.write_all()

    def leave(self, slots: Index, keys: Iterable[str], places: Index) -> None:
        """These persons and their evidence, the rows at ``places``, are kept elsewhere from now on."""
        for key in keys:
            del self.slot_of[key]
        self.evidence.free(places)
        self.persons.free(slots)

    def state(self, who: int) -> State:
        """Where a person stands."""
        row = {name: self.persons[name][who] for name in ("orders", "last_order", "first", "last")}
        times = {
            name: None if row[name] == NONE_MS else int(row[name]) for name in ("last_order", "first", "last")
        }
        recent = self.persons["recent"][who]
        return State(
            stages=self.persons["stages"][who].tobytes(),
            entered=tuple(self.persons["entered"][who].tolist()),
            steps=tuple(self.persons["steps"][who].tolist()),
            orders=int(row["orders"]),
            recent=msgspec.msgpack.decode(recent, type=dict[int, tuple[int, ...]]) if recent else {},
            **times,
        )

    def set_state(self, who: int, state: State) -> None:
        """Where a person stands now."""
        values = {
            "stages": list(state.stages),
            "entered": state.entered,
            "steps": state.steps,
            "orders": state.orders,
            "recent": _encode(state.recent) if state.recent else None,
            **{
                name: NONE_MS if (time := getattr(state, name)) is None else time
                for name in ("last_order", "first", "last")
            },
        }
        for name, value in values.items():
            self.persons[name][who] = value
        self.persons.touch(np.array([who]))

    def checkpoint(self, who: int) -> State | None:
        """The state before the evidence that is kept; None: that of a person nothing is known of."""
        packed = self.persons["checkpoint"][who]
        return None if packed is None else _decode_state(packed)

    def set_checkpoint(self, who: int, state: State) -> None:
        """Evidence up to here is folded for good."""
        self.persons["checkpoint"][who] = _encode(state)

    def owners(self) -> dict[str, Owners]:
        """Key of each visitor that has owners -> who they are."""
        packed, keys = self.persons["owners"], self.persons["key"]
        slots = [slot for slot in self.persons.live().tolist() if packed[slot] is not None]
        return {keys[slot]: _decode_owners(packed[slot]) for slot in slots}

    def set_owners(self, who: int, owners: Owners) -> None:
        """Whose a visitor's evidence without a user is."""
        self.persons["owners"][who] = _encode(owners) if owners[0] else None
        self.persons.touch(np.array([who]))

    def chain(self, who: int) -> Index:
        """Places of the person's evidence, oldest first."""
        places, before = [], self.evidence["before"]
        place = int(self.persons["newest"][who])
        while place != _NO_PLACE:
            places.append(place)
            place = int(before[place])
        return np.array(places[::-1], np.int64)


def starts_of(sorted_values: Index) -> Index:
    """The places at which other values begin."""
    others = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    return np.concatenate((np.zeros(min(len(sorted_values), 1), np.int64), others))


def pieces(columns: Mapping[str, Array]) -> list[Evidence]:
    """The table's columns as evidence."""
    kinds, urls, sessions = columns["kind"].tolist(), columns["url"].tolist(), hex_ids(columns["session"])
    rows = zip(columns["time"].tolist(), kinds, urls, sessions, columns["known"].tolist(), strict=True)
    return [
        Evidence(time, rules, event, url, channel, session, known)
        for time, (rules, event, channel), url, session, known in rows
    ]


def evidence_columns(history: Sequence[Evidence]) -> dict[str, Array]:
    """Evidence as the table's columns."""
    sessions = b"".join(bytes.fromhex(one.session_id) or bytes(16) for one in history)
    return {
        "time": np.array([one.time for one in history], np.int64),
        "kind": objects([(one.rules, one.event, one.channel) for one in history]),
        "url": objects([one.url for one in history]),
        "session": np.frombuffer(sessions, "V16"),
        "known": np.array([one.known for one in history], np.bool_),
    }
