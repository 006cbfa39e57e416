"""All sessions of one partition within reach of the lateness, as columns; a batch of hits is placed with array
operations.

The hits are sorted by visitor and time and cut at gaps longer than the timeout. Such a segment usually is a new session
or extends the visitor's newest, open one: that is done for all segments at once. All else (late hits, merges, a closed
session that opens again, hits of the same millisecond) goes hit by hit through :func:`pipeline.core.sessionizer.place`,
which is right for every hit and gives the same. Times in ms, ends inclusive.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from pipeline.core.coded import Coded
from pipeline.core.ids import SEPARATOR, visitor_key
from pipeline.core.keys import halves, session_ids
from pipeline.core.money import add_micros
from pipeline.core.segments import Hits, Segments, Sums, cut, sums
from pipeline.core.session import OpenSession, earliest
from pipeline.core.session_columns import COLUMNS, close, rows_of, session_at, write
from pipeline.core.sessionizer import Said, SessionRules, count_active, place, settle
from pipeline.core.slots import Array, Index, Slots, objects
from schemas.erasure import Erasure

_NEVER: Final = -(1 << 60)
MOST_ROWS: Final = 20_000  # as columns at a time: they are much larger than the state they come from


class SessionTable:
    """A visitor's sessions are a chain from the newest to older ones (``prev``)."""

    def __init__(self, rules: SessionRules, *, more: Mapping[str, Any] | None = None) -> None:
        """``more``: columns beside those of every session."""
        self.rules = rules
        self.slots = Slots({**COLUMNS, **(more or {})}, derived=("prev", "unsaid"))
        self._newest: dict[str, int] = {}  # visitor's key -> slot

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up the entries of :attr:`slots` again; open sessions are to be said."""
        self.slots.restore(entries)
        self._chain(self.slots.live().tolist())
        live = self.slots.live()
        self.slots["unsaid"][live] = self.slots["told"][live] == 0

    def place(self, hits: Hits, said: Said) -> Index:
        """Put the hits into sessions; the slot of each."""
        segments = cut(hits, self.rules.timeout_ms)
        newest = np.array([self._newest.get(key, -1) for key in hits.keys], np.int64)[segments.visitor]
        is_new, is_more = self._cases(segments, newest)
        is_slow = np.zeros(len(hits.keys), np.bool_)
        is_slow[segments.visitor[~(is_new | is_more)]] = True
        is_slow[segments.ties] = True
        is_fast = ~is_slow[segments.visitor]
        summed = sums(hits, segments)
        slot_of = np.full(len(newest), -1)
        more = np.flatnonzero(is_fast & is_more)
        slot_of[more] = newest[more]
        self._extend(newest[more], summed.at(more))
        new = np.flatnonzero(is_fast & is_new)
        slot_of[new] = self.slots.take(len(new))
        before = np.where(segments.leads, newest, np.roll(slot_of, 1))
        self._open(hits, segments, new, slot_of[new], before[new], summed.at(new), said)
        found = np.empty(len(segments.order), np.int64)
        found[segments.order] = np.repeat(slot_of, summed.hits)
        self._add_goals(hits, found)
        if is_slow.any():
            by_visitor = hits.visitor[segments.order]
            for one in np.flatnonzero(is_slow).tolist():
                begin, end = np.searchsorted(by_visitor, (one, one + 1))
                places = segments.order[begin:end]
                found[places] = self._place_each(hits, hits.keys[one], places.tolist(), said)
        return found

    def ids(self, slots: Index) -> Array:
        """Their session ids, 16 bytes each; zeros where the slot is negative."""
        found = np.zeros(len(slots), "V16")
        found[slots >= 0] = self.slots["id"][slots[slots >= 0]]
        return found

    def close(self, watermark: int | None, said: Said) -> Index:
        """Close the open sessions that the watermark has passed (None: all); their slots."""
        slots = self.slots
        due = slots["live"] & (slots["told"] == 0)
        if watermark is not None:
            due &= slots["end"] < watermark - self.rules.timeout_ms
        closing = np.flatnonzero(due)
        if len(closing):
            said.closed = close(slots, closing, timeout_ms=self.rules.timeout_ms, bounce=self.rules.bounce)
            _count_active(said, said.closed.site, -1)
            slots.touch(closing)
        return closing

    def forget(self, horizon: int) -> None:
        """Drop the closed sessions that no hit from the horizon on can reach."""
        slots, gone = self.slots, self._leaving(horizon)
        leaving = np.flatnonzero(gone)
        if not len(leaving):
            return
        for slot in leaving.tolist():
            key = slots["key"][slot]
            if self._newest.get(key) == slot:  # its older ones leave with it
                del self._newest[key]
        prev = slots["prev"]
        prev[(prev >= 0) & gone[prev]] = -1
        slots.free(leaving)

    def erase(self, erasure: Erasure, said: Said) -> None:
        """Forget the person's sessions at once. The counters keep what they were told, which names nobody."""
        slots, keys = self.slots, self.slots["key"]
        names = {visitor_key(erasure.site, one, None) for one in erasure.visitors}
        names |= {visitor_key(erasure.site, None, one) for one in erasure.users}
        begin = erasure.site + SEPARATOR
        leaving = [
            slot
            for slot in slots.live().tolist()
            if keys[slot] in names or (keys[slot].startswith(begin) and self._is_of(slot, erasure))
        ]
        for slot in leaving:
            if slots["told"][slot] == 0:
                count_active(said, keys[slot], -1)
        touched = {keys[slot] for slot in leaving}
        for key in touched:
            self._newest.pop(key, None)
        slots.free(np.array(leaving, np.int64))
        slots.write_all()
        self._chain([slot for slot in slots.live().tolist() if keys[slot] in touched])

    def rows(self, at: Index, version: int) -> Iterator[dict[str, Any]]:
        """The sessions as they stand, as columns of ``schemas.rows.SESSION_ROWS``, so many at a time."""
        self.slots["unsaid"][at] = False
        for first in range(0, len(at), MOST_ROWS):
            yield rows_of(self.slots, at[first : first + MOST_ROWS], version, self.rules.bounce)

    def unsaid(self) -> Index:
        """The open sessions whose rows have not left since they changed."""
        return np.flatnonzero(self.slots["unsaid"] & self.slots["live"] & (self.slots["told"] == 0))

    def _leaving(self, horizon: int) -> Array:
        """Which slots :meth:`forget` drops."""
        slots = self.slots
        gone: Array = slots["live"] & (slots["told"] != 0)
        gone &= slots["end"] < horizon - self.rules.timeout_ms
        return gone

    def _is_of(self, slot: int, erasure: Erasure) -> bool:
        """Whether the session of another's key names the person."""
        users = {self.slots["user"][slot], *(user for _, user in self.slots["goals"][slot] or ())}
        return not users.isdisjoint(erasure.users)

    def _chain(self, added: list[int]) -> None:
        """Link each visitor's sessions by their start."""
        prev, keys, start = self.slots["prev"], self.slots["key"], self.slots["start"]
        for slot in sorted(added, key=start.__getitem__):
            key = keys[slot]
            prev[slot] = self._newest.get(key, -1)
            self._newest[key] = slot

    def _cases(self, segments: Segments, newest: Index) -> tuple[Array, Array]:
        """Which segments are new sessions, and which are more of the visitor's newest one."""
        slots, timeout = self.slots, self.rules.timeout_ms
        has, start = newest >= 0, segments.start
        reach = np.full(len(newest), _NEVER)
        reach[has] = slots["end"][newest[has]]
        begun = np.zeros(len(newest), np.bool_)
        begun[has] = (slots["told"][newest[has]] == 0) & (slots["start"][newest[has]] < start[has])
        before = np.where(segments.leads, _NEVER, np.roll(segments.end, 1))
        return start > np.maximum(reach, before) + timeout, segments.leads & begun & (
            start <= reach + timeout
        )

    def _extend(self, at: Index, more: Sums) -> None:
        """Add segments to open sessions that began before them; no slot twice."""
        slots = self.slots
        views = slots["views"][at]
        decides = (more.views > 0) == (views > 0)
        first_views = (more.views > 0) & (views == 0)
        for side, is_better in (("entry", np.less), ("exit", np.greater)):
            time, url = slots[f"{side}_time"], slots[f"{side}_url"]
            new_time, new_url = getattr(more, f"{side}_time"), getattr(more, f"{side}_url")
            better = is_better(new_time, time[at])
            by_value = is_better(new_url, url[at]).astype(np.bool_) | (url[at] == "")
            better |= (new_time == time[at]) & by_value & (new_url != "")
            replaced = np.flatnonzero(first_views | (decides & better))
            time[at[replaced]], url[at[replaced]] = new_time[replaced], new_url[replaced]
        time = slots["user_time"]
        later = more.user_time > time[at]
        later |= (more.user_time == time[at]) & np.greater(more.user, slots["user"][at]).astype(np.bool_)
        time[at[later]], slots["user"][at[later]] = more.user_time[later], more.user[later]
        slots["end"][at] = np.maximum(slots["end"][at], more.end)
        for name in ("hits", "views", "conversions"):
            slots[name][at] += getattr(more, name)
        paid = np.flatnonzero(more.revenue)
        for slot, micros in zip(at[paid].tolist(), more.revenue[paid].tolist(), strict=True):
            slots["revenue"][slot] = add_micros(int(slots["revenue"][slot]), micros)
        slots["unsaid"][at] = True
        slots.touch(at)

    def _open(
        self, hits: Hits, segments: Segments, new: Index, at: Index, before: Index, of: Sums, said: Said
    ) -> None:
        """Fill in new sessions."""
        slots = self.slots
        firsts = segments.order[segments.first[new]]
        starts = segments.start[new]
        visitors = Coded(segments.visitor[new], hits.keys).compact()
        keys = visitors[:]
        for name in Sums._fields:
            slots[name][at] = getattr(of, name)
        slots["start"][at], slots["url"][at] = starts, hits.urls.at(firsts).array()
        slots["since"][at], slots["prev"][at] = said.version, before
        slots["told"][at], slots["old_ids"][at], slots["unsaid"][at] = 0, None, True
        slots["key"][at], slots["context"][at] = objects(keys), hits.contexts_of(firsts).array()
        slots["id"][at] = session_ids(visitors, starts)
        self._newest.update(zip(keys, at.tolist(), strict=True))
        _count_active(said, Coded(visitors.codes, halves(list(visitors.values))[0]).distinct(), 1)

    def _add_goals(self, hits: Hits, slot_of: Index) -> None:
        """To the sessions on the fast way; those of the others are no slots yet."""
        more: dict[int, list[tuple[int, str]]] = {}
        for hit in np.flatnonzero(hits.is_goal & (slot_of >= 0)).tolist():
            more.setdefault(int(slot_of[hit]), []).append((int(hits.time[hit]), hits.users[hit]))
        goals = self.slots["goals"]
        for slot, found in more.items():
            goals[slot] = earliest((*(goals[slot] or ()), *found))

    def _place_each(self, hits: Hits, key: str, places: list[int], said: Said) -> list[int]:
        """One visitor's hits, one by one; the slot of each."""
        at, chain = self._newest.get(key, -1), []
        while at >= 0:
            chain.append(at)
            at = int(self.slots["prev"][at])
        sessions = [session_at(self.slots, slot) for slot in reversed(chain)]
        slot_of = {id(session): slot for session, slot in zip(sessions, reversed(chain), strict=True)}
        loaded = list(sessions)  # so that no other object gets the id of one of these
        for hit in places:
            changed = place(sessions, hits.session_of(hit), key, self.rules, said)
            slot_of.setdefault(id(changed), -1)
            loaded.append(changed)
        self._write_back(key, sessions, slot_of)
        said.slots += [slot_of[id(session)] for session in settle(said)]
        starts = [session.start for session in sessions]
        found = np.searchsorted(starts, hits.time[places], side="right") - 1
        return [slot_of[id(sessions[one])] for one in found.tolist()]

    def _write_back(self, key: str, sessions: list[OpenSession], slot_of: dict[int, int]) -> None:
        """``slot_of``: by identity, -1 for those that have none yet; they get one, and those not there any more go."""
        kept = {id(session) for session in sessions}
        gone = [slot for identity, slot in slot_of.items() if identity not in kept and slot >= 0]
        if gone:
            self.slots.free(np.array(gone))
        before = -1
        for session in sessions:
            slot = slot_of[id(session)]
            if slot < 0:
                slot = slot_of[id(session)] = int(self.slots.take(1)[0])
            write(self.slots, slot, session)
            self.slots["key"][slot], self.slots["prev"][slot] = key, before
            before = slot
        self.slots.touch(np.array([slot_of[id(session)] for session in sessions]))
        self._newest[key] = before


def _count_active(said: Said, sites: Coded, change: int) -> None:
    """An open session more, or less, at each of these."""
    for site, count in zip(sites.values, np.bincount(sites.codes).tolist(), strict=True):
        said.active[site] = said.active.get(site, 0) + change * count
