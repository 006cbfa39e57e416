"""Sessions that close in one unit of work, as columns: what the counters and the persons are told of them."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.core.coded import Coded, Codes, combined
from pipeline.core.ids import hex_ids
from pipeline.core.keys import halves, partitions, persons
from pipeline.core.numbers import numbered
from pipeline.core.session import channel_of
from pipeline.core.slots import Array, Index
from schemas.touchpoint import OWN


class Closed(NamedTuple):
    """Columns of equal length. ``key``: the visitor's. ``user``: "" is none. ``sums``: an array for each of those of
    :class:`schemas.counter.SessionSums`. ``goals``: as in ``OpenSession``, None where there are none. Times in ms.
    """

    key: Coded
    user: Coded
    context: Coded
    id: Array  # V16
    start: Index
    end: Index
    close_time: Index
    sums: tuple[Index, ...]
    goals: Array

    @property
    def site(self) -> Coded:
        return Coded(self.key.codes, halves(list(self.key.values))[0]).distinct()

    @property
    def channel(self) -> Coded:
        return self.context.map(channel_of).distinct()

    def panes(self, names: Coded, pane_ms: int) -> dict[tuple[str, str, int], list[int]]:
        """(site, name, pane) -> the sums of its sessions; revenue wraps at 64 bits, as SQL's sum does."""
        first, code = numbered(self.close_time // pane_ms)
        pane = Coded(code, (self.close_time[first] // pane_ms).tolist())
        found = combined(self.site, names, pane)
        order = np.argsort(found.codes, kind="stable")
        begin = np.searchsorted(found.codes[order], np.arange(len(found.values)))
        sums = [np.add.reduceat(column[order], begin).tolist() for column in self.sums]
        return dict(zip(found.values, map(list, zip(*sums, strict=True)), strict=True))

    def told(self, count: int) -> list[list[list[Any]]]:
        """For each of ``count`` partitions of the persons, columns as in :class:`schemas.touchpoint.SessionColumns`:
        each session to its latest user or else its visitor, and for each goal to whose it may be instead
        (``session.told_of``).
        """
        rows, users, goal_time = self._hearers()
        whose = combined(self.key.at(rows), users)
        keys, known = (Coded(whose.codes, values) for values in persons(list(whose.values)))
        target = partitions(list(keys.values), count)[whose.codes]
        channel, found = self.channel.at(rows), []
        for partition in range(count):
            here = np.flatnonzero(target == partition)
            of = rows[here]
            columns = (keys.at(here), known.at(here), hex_ids(self.id[of]), self.start[of].tolist())
            more = (self.end[of].tolist(), channel.at(here), [1] * len(of), goal_time[here].tolist())
            found.append([column[:] for column in (*columns, *more)])
        return found

    def _hearers(self) -> tuple[Index, Coded, Index]:
        """Row, user and goal's time of each that hears of a session: its own person first."""
        rows, own = np.arange(len(self.key)), np.full(len(self.key), OWN)
        others = [
            (row, user, time)
            for row in np.flatnonzero(self.goals.astype(np.bool_)).tolist()
            for time, user in self.goals[row]
            if not user or user != self.user[row]
        ]
        if not others:
            return rows, self.user, own
        more, users, times = zip(*others, strict=True)
        rows, goal_time = np.concatenate((rows, more)), np.concatenate((own, times))
        order = np.argsort(rows, kind="stable")
        return rows[order], Codes().of([*self.user, *users]).at(order), goal_time[order]
