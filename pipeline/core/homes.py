"""Evidence without a user, and whose it is: the home of each visitor in the journeys' hop.

Such evidence belongs to the owner of its visitor (``pipeline.core.persons.identity``). The visitor's row is its home:
while nobody owns the visitor it counts there. When somebody does, it is kept under a key of its own (AWAY) and passed
on to the owner's row, perhaps of another partition, with a sign: a change of owners takes it back the same way. Beyond
MAX_EVIDENCE pieces only the newest half of that many are kept so: the older ones stay whose they are.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace

from pipeline.core.evidence import Arrived
from pipeline.core.ids import SEPARATOR
from pipeline.core.person_table import MAX_EVIDENCE, PersonTable, pieces
from pipeline.core.persons.identity import NO_OWNERS, NOBODY, Owners, owner_at
from pipeline.core.slots import Index
from pipeline.core.stage_fold import in_order
from schemas.evidence import Evidence

AWAY: Final = "\x1d"  # goes before a visitor's key: no site begins so
Passed = tuple[str, Evidence, int]  # key of a user, what is passed on, 1; or what is taken back, -1


class Moved(NamedTuple):
    """``home``: slot of the visitor; what comes back to it, and what leaves it."""

    home: int
    back: list[Evidence]
    leaving: list[Evidence]


class Homes:
    """The visitors with owners of one partition. What is passed on is added to the list handed in."""

    def __init__(self, table: PersonTable) -> None:
        self._table = table
        self._owners: dict[str, Owners] = {}

    def restore(self) -> None:
        """The table has been restored."""
        self._owners = self._table.owners()

    def __contains__(self, key: str) -> bool:
        """Has the visitor owners? Of those in the table."""
        return key in self._owners

    def left(self, keys: Iterable[str]) -> None:
        """They are not in the table any more."""
        if self._owners:
            for key in keys:
                self._owners.pop(key, None)

    def came(self, owners: Iterable[tuple[str, Owners]]) -> None:
        """Visitors with owners are in the table again."""
        self._owners.update(owners)

    def keep(self, found: Arrived, passed: list[Passed]) -> Index:
        """The rows that count for whom they came for; what is an owner's is put away and passed on."""
        rows = np.arange(len(found.time))
        if not self._owners:
            return rows
        is_owned = np.array([key in self._owners for key in found.persons], np.bool_)
        is_leaving = is_owned[found.person] & ~found.known
        leaving = rows[is_leaving]
        if len(leaving):
            for whose, one in zip(
                found.person[leaving].tolist(), pieces(found.columns(leaving)), strict=True
            ):
                key = found.persons[whose]
                _pass_on(key, one, self._owners[key], 1, passed)
            self._put_away(found, leaving)
        return rows[~is_leaving]

    def _put_away(self, found: Arrived, rows: Index) -> None:
        """At the end, in whatever order it comes: to write all of it anew would cost more with every hit."""
        table = self._table
        visitors, visitor = np.unique(found.person[rows], return_inverse=True)
        slots = table.slots([AWAY + found.persons[one] for one in visitors.tolist()])
        order = np.argsort(visitor, kind="stable")
        table.append(slots[visitor[order]], found.columns(rows[order]))
        for slot in slots[table.persons["size"][slots] > MAX_EVIDENCE].tolist():
            table.rewrite(slot, sorted(table.history(slot), key=in_order)[-(MAX_EVIDENCE // 2) :])

    def expect(self, keys: Iterable[str]) -> None:
        """Visitors who will have other owners."""
        self._table.slots([one for key in dict.fromkeys(keys) for one in (key, AWAY + key)])

    def own(self, key: str, after: Owners, passed: list[Passed]) -> Moved:
        """An expected visitor has other owners."""
        before = self._owners.get(key, NO_OWNERS)
        home, away = self._table.slot_of[key], self._table.slot_of[AWAY + key]
        leaving = [one for one in self._table.history(home) if not one.known and after[0]]
        stays, back = list(leaving), list[Evidence]()
        for one in self._table.history(away):
            (stays if after[0] else back).append(one)
            if owner_at(before, one.time) != owner_at(after, one.time):
                _pass_on(key, one, before, -1, passed)
                _pass_on(key, one, after, 1, passed)
        for one in leaving:
            _pass_on(key, one, after, 1, passed)
        self._table.rewrite(away, stays)
        self._table.set_owners(home, after)
        if after[0]:
            self._owners[key] = after
        else:
            self._owners.pop(key, None)
        return Moved(home, back, leaving)

    def erase(self, keys: list[str]) -> None:
        """Forget these persons and visitors."""
        self._table.erase([*keys, *(AWAY + key for key in keys)])
        self._owners = self._table.owners()


def _pass_on(key: str, one: Evidence, owners: Owners, sign: int, passed: list[Passed]) -> None:
    user = owner_at(owners, one.time)
    if user != NOBODY:
        site = key.partition(SEPARATOR)[0]
        passed.append((f"{site}{SEPARATOR}{user}", replace(one, known=True), sign))
