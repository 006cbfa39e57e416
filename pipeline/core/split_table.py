"""Sessions of one partition where more than pauses cuts them: :mod:`pipeline.core.parts` says where.

A late hit can move every cut after it. So a session keeps its hits while they are within reach of the lateness, and a
visitor's hits are cut anew from the session on that the earliest new one falls into. That is slower than the columns
of :class:`SessionTable` alone, and is used only where an option asks for it.

A session is named by its start. One that starts where another did goes on, changed; one that starts nowhere any more is
withdrawn. What was stored under one id may then belong to several sessions: a :class:`SessionMove` says from when on to
which. Times in ms.
"""

from collections.abc import Iterator
from copy import copy
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.core.ids import SEPARATOR, session_id
from pipeline.core.parts import cut, folded, session_of
from pipeline.core.segments import Hits
from pipeline.core.session import OpenSession, first_of, withdrawal
from pipeline.core.session_columns import session_at, write
from pipeline.core.session_table import SessionTable
from pipeline.core.sessionizer import Said, SessionRules, count_active, reopen
from pipeline.core.site_rules import SiteRules
from pipeline.core.slots import Array, Index
from schemas.erasure import Erasure
from schemas.session import SessionMove

MOST_KEPT: Final = 10_000  # hits of a session; beyond that all but the newest half of it are folded for good
KEPT: Final = "kept"  # the hits of a session, as bytes; None of one from before the option was set
_NONE: Final = -1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[OpenSession]).decode


class _Part(NamedTuple):
    """``hits``: as sessions of one hit, by time."""

    slot: int
    session: OpenSession
    hits: list[OpenSession]

    @property
    def carriers(self) -> set[str]:
        """The ids that stored rows of its hits may carry."""
        return {self.session.session_id, *self.session.old_ids}


class SplitTable(SessionTable):
    """``sites``: those that name a zone; they may change at any time, and hold for what comes."""

    def __init__(self, rules: SessionRules, sites: SiteRules) -> None:
        super().__init__(rules, more={KEPT: object})
        self._sites = sites

    def place(self, hits: Hits, said: Said) -> Index:
        """Put the hits into sessions; the slot of each."""
        order = np.lexsort((hits.time, hits.visitor))
        found = np.empty(len(order), np.int64)
        for places in np.split(order, np.flatnonzero(np.diff(hits.visitor[order])) + 1):
            key, times = hits.keys[hits.visitor[places[0]]], hits.time[places]
            parts = self._place_all(key, [hits.session_of(hit) for hit in places.tolist()], said)
            slots = np.array([part.slot for part in parts], np.int64)
            starts = [part.session.start for part in parts]
            found[places] = slots[np.searchsorted(starts, times, side="right") - 1]
        return found

    def _place_all(self, key: str, hits: list[OpenSession], said: Said) -> list[_Part]:
        """Cut one visitor's hits anew from where the first of these falls; the sessions from there on."""
        touched = list[_Part]()
        before = self._newest.get(key, _NONE)
        # One that starts at the very millisecond of the hit may have to go to the one before it.
        while before != _NONE and not (touched and touched[0].session.start < hits[0].start):
            touched.insert(0, self._part(before))
            before = int(self.slots["prev"][before])
        rules = self.rules
        pool = sorted([hit for part in touched for hit in part.hits] + hits, key=first_of)
        zone = self._sites.zones.get(key.partition(SEPARATOR)[0], rules.splits.zone)
        parts = self._renew(key, touched, cut(pool, rules.timeout_ms, rules.splits, zone), before, said)
        for part in parts:
            self.slots["prev"][part.slot] = before
            before = part.slot
        self._newest[key] = before
        return parts

    def _part(self, slot: int) -> _Part:
        session, kept = session_at(self.slots, slot), self.slots[KEPT][slot]
        if kept is None:
            whole = copy(session)
            whole.closed, whole.old_ids = None, []
            return _Part(slot, session, [whole])
        return _Part(slot, session, _decode(kept))

    def _renew(
        self, key: str, olds: list[_Part], groups: list[list[OpenSession]], before: int, said: Said
    ) -> list[_Part]:
        """The sessions of these groups of hits instead of the old ones; what was said of those is corrected."""
        source = {id(hit): old for old in olds for hit in old.hits}
        by_start = {old.session.start: old for old in olds}
        starts = {group[0].start for group in groups}
        for gone in olds:
            if gone.session.start not in starts:
                self._withdraw(key, gone, said)
        parts, carried, is_changed, torn = list[_Part](), list[set[str]](), list[bool](), set[str]()
        for group in groups:
            old: _Part | None = by_start.get(group[0].start)
            sources = [source.get(id(hit)) for hit in group]
            is_same = old is not None and len(group) == len(old.hits) and all(one is old for one in sources)
            parts.append(old if old is not None and is_same else self._made(key, old, group, said))
            is_changed.append(not is_same)
            carried.append({an_id for one in sources if one for an_id in one.carriers})
            torn |= {an_id for one in sources if one and one is not old for an_id in one.carriers}
        for part, ids, changed in zip(parts, carried, is_changed, strict=True):
            if changed:
                part.session.old_ids = sorted(ids - {part.session.session_id})
                self._write(key, part)
                if torn:
                    said.slots.append(part.slot)
        if torn:
            said.moves += self._moves(key, torn, parts, before, said.version)
        return parts

    def _made(self, key: str, old: _Part | None, hits: list[OpenSession], said: Said) -> _Part:
        """A session that is new, or goes on with other hits than before."""
        session = session_of(hits, self.rules.splits)
        if old is not None:
            reopen(old.session, key, said)
            session.session_id, session.since = old.session.session_id, old.session.since
            return _Part(old.slot, session, hits)
        session.session_id, session.since = session_id(key, session.start), said.version
        count_active(said, key, 1)
        return _Part(int(self.slots.take(1)[0]), session, hits)

    def _withdraw(self, key: str, old: _Part, said: Said) -> None:
        reopen(old.session, key, said)
        count_active(said, key, -1)
        said.withdrawn.append(
            withdrawal(old.session.session_id, old.session.start, key, version=said.version)
        )
        self.slots.free(np.array([old.slot]))

    def _write(self, key: str, part: _Part) -> None:
        write(self.slots, part.slot, part.session)
        hits = part.hits
        if len(hits) > MOST_KEPT:
            old, new = hits[: -MOST_KEPT // 2], hits[-MOST_KEPT // 2 :]
            hits = [*folded(old, self.rules.splits), *new]
        self.slots["key"][part.slot], self.slots[KEPT][part.slot] = key, _encode(hits)
        self.slots.touch(np.array([part.slot]))

    def _moves(
        self, key: str, torn: set[str], parts: list[_Part], before: int, version: int
    ) -> Iterator[SessionMove]:
        """Where the hits belong that were stored under these ids."""
        holders = [(part.session.start, part.session.session_id, part.carriers) for part in parts]
        while before != _NONE:
            an_id = self._id(before)
            holders.append((int(self.slots["start"][before]), an_id, self._carriers(before)))
            before = int(self.slots["prev"][before])
        holders.sort(key=lambda one: one[0])
        for old_id in sorted(torn):
            of_id = [(start, an_id) for start, an_id, ids in holders if old_id in ids]
            starts, ids = map(list, zip(*of_id, strict=True))
            several = (starts, ids) if len(ids) > 1 else ([], [])
            yield SessionMove(key.partition(SEPARATOR)[0], old_id, ids[-1], version, *several)

    def _carriers(self, slot: int) -> set[str]:
        return {self._id(slot), *(self.slots["old_ids"][slot] or ())}

    def _id(self, slot: int) -> str:
        return str(self.slots["id"][slot].tobytes().hex())

    def _leaving(self, horizon: int) -> Array:
        """Not those that share an id of stored rows with one that may change yet: its moves must name them too."""
        gone, slots = super()._leaving(horizon), self.slots
        if gone.any():
            sharing = slots["live"] & ~gone & (slots["old_ids"] != None)  # noqa: E711  (each of an array)
            for slot in np.flatnonzero(sharing).tolist():
                shared, chain = self._carriers(slot), [int(slots["prev"][slot])]
                while chain[-1] != _NONE:
                    if shared & self._carriers(chain[-1]):
                        gone[chain] = False
                    chain.append(int(slots["prev"][chain[-1]]))
        return gone

    def _is_of(self, slot: int, erasure: Erasure) -> bool:
        """Also one in which the person was not the last user."""
        return super()._is_of(slot, erasure) or any(
            hit.user is not None and hit.user[1] in erasure.users for hit in self._part(slot).hits
        )


def table_of(rules: SessionRules, sites: SiteRules | None) -> SessionTable:
    """The sessions of one partition by these rules."""
    return SplitTable(rules, sites or SiteRules()) if rules.splits.any else SessionTable(rules)
