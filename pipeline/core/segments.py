"""The interactive hits of a unit of work, cut into segments: runs of one visitor's hits without a gap longer than the
timeout, each summed up. Columns of hits are in order of arrival, those of segments by visitor, then time.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.coded import Coded
from pipeline.core.money import add_micros, micros
from pipeline.core.reading import Reading
from pipeline.core.session import OpenSession, of_one_hit
from pipeline.core.slots import Array, Index


class Hits(NamedTuple):
    """``visitor``: place in ``keys``. ``users``: "" is none. ``contexts_of``: what sessions take from first hits.

    ``revenue``: hit -> micros, of the goals that have any.
    """

    keys: Sequence[str]
    visitor: Index
    time: Index
    is_view: Array
    is_goal: Array
    urls: Coded
    users: Coded
    revenue: dict[int, int]
    contexts_of: Callable[[Index], Coded]

    def session_of(self, hit: int) -> OpenSession:
        """The hit as a session of one hit."""
        return of_one_hit(
            int(self.time[hit]),
            self.urls[hit],
            self.contexts_of(np.array([hit]))[0],
            self.users[hit],
            is_view=bool(self.is_view[hit]),
            is_goal=bool(self.is_goal[hit]),
            revenue=self.revenue.get(hit),
        )


class Segments(NamedTuple):
    """``order``: the hits by visitor and time; ``first`` and ``last``: places in it. ``leads``: first of its visitor.

    ``ties``: visitors with two hits of the same millisecond, whose order in here says nothing.
    """

    order: Index
    first: Index
    last: Index
    visitor: Index
    start: Index
    end: Index
    leads: Array
    ties: Index


class Sums(NamedTuple):
    """Per segment, what a session keeps. ``user_time`` is -1 and ``user`` "" where no user is known."""

    end: Index
    hits: Index
    views: Index
    conversions: Index
    revenue: Index
    entry_time: Index
    entry_url: Array
    exit_time: Index
    exit_url: Array
    user_time: Index
    user: Array

    def at(self, places: Index) -> "Sums":
        """Of some segments."""
        return Sums(*(column[places] for column in self))


def cut(hits: Hits, timeout_ms: int) -> Segments:
    """The segments of at least one hit."""
    order = np.lexsort((hits.time, hits.visitor))
    visitor, time = hits.visitor[order], hits.time[order]
    same, pause = visitor[1:] == visitor[:-1], np.diff(time)
    first = np.flatnonzero(np.concatenate(([True], ~same | (pause > timeout_ms))))
    last = np.append(first[1:], len(order)) - 1
    of = visitor[first]
    leads = np.concatenate(([True], of[1:] != of[:-1]))
    return Segments(order, first, last, of, time[first], time[last], leads, visitor[1:][same & (pause == 0)])


def sums(hits: Hits, segments: Segments) -> Sums:
    """Right where no two hits of a visitor have the same time."""
    order, first, last = segments.order, segments.first, segments.last
    time = hits.time[order]
    is_view, is_goal = hits.is_view[order], hits.is_goal[order]
    has_user = hits.users.at(order).array(np.bool_)
    views = np.add.reduceat(is_view, first, dtype=np.int64)
    place = np.arange(len(order))
    # Entry and exit are views; only where there is none, any hits.
    entry = np.where(views > 0, np.minimum.reduceat(np.where(is_view, place, len(order)), first), first)
    exit_ = np.where(views > 0, np.maximum.reduceat(np.where(is_view, place, -1), first), last)
    known = np.maximum.reduceat(np.where(has_user, place, -1), first)
    return Sums(
        end=time[last],
        hits=last - first + 1,
        views=views,
        conversions=np.add.reduceat(is_goal, first, dtype=np.int64),
        revenue=_revenue(hits, segments),
        entry_time=time[entry],
        entry_url=hits.urls.at(order[entry]).array(),
        exit_time=time[exit_],
        exit_url=hits.urls.at(order[exit_]).array(),
        user_time=np.where(known >= 0, time[known], -1),
        user=np.where(known >= 0, hits.users.at(order[known]).array(), ""),
    )


def _revenue(hits: Hits, segments: Segments) -> Index:
    total = np.zeros(len(segments.first), np.int64)
    if hits.revenue:
        segment = np.empty(len(segments.order), np.int64)
        lengths = segments.last - segments.first + 1
        segment[segments.order] = np.repeat(np.arange(len(lengths)), lengths)
        for hit, micros in hits.revenue.items():
            total[segment[hit]] = add_micros(int(total[segment[hit]]), micros)
    return total


def hits_of(
    reading: Reading,
    rows: Index,
    keys: Coded,
    is_view: Array,
    is_goal: Array,
    contexts_of: Callable[[Index], Coded],
) -> Hits:
    """The rows that make sessions. ``keys``: of the visitors of all rows."""
    fields, visitors = reading.fields, keys.at(rows).compact()
    amounts = fields["revenue"]
    paid = np.flatnonzero(is_goal[rows]).tolist()
    revenue = {at: micros(amount) for at in paid if (amount := amounts[rows[at]]) is not None}
    return Hits(
        visitors.values,
        visitors.codes,
        reading.time[rows],
        is_view[rows],
        is_goal[rows],
        fields["url"].at(rows),
        fields["user_id"].at(rows).map(lambda user: user or ""),
        revenue,
        contexts_of,
    )
