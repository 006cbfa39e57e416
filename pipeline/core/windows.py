"""Sums of closed sessions per pane, and how panes pass through the trailing windows.

A pane holds the sessions whose close time is in [pane_start, pane_start + pane_ms); panes are numbered,
number times pane_ms is the start. At watermark ``wm`` a window of W holds the panes with pane_start in
(floor(wm) - W, floor(wm)], floor being to the pane: the current, partial pane is in, the one exactly W
old is out. The windows nest, so that each pane lies in one *band* (younger than 5 minutes, then younger
than 1 hour, then younger than 24 hours) and a window is the sum of its bands: a session is added once,
and its pane moves on as it ages. Sums are order-free: integers that are only added and taken away.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from msgspec import msgpack

from pipeline.core.closing import Closed
from pipeline.core.ids import SEPARATOR
from schemas.counter import Measure, SessionSums
from schemas.session import SessionFact

PANE_MS = 10_000
SEGMENT = "\x1e"  # in the names of the measures of segments
WINDOWS = {"5m": 300_000, "1h": 3_600_000, "24h": 86_400_000}  # ms, ascending
PANES_PER_CHUNK = 60
HOT_CHUNKS = 512  # decoded chunks kept between two batches: some 100 KB each when every pane is full

Sums = list[int]  # sessions, counted, bounced, converted, duration_ms, revenue_micros
Chunk = dict[int, dict[str, Sums]]  # pane -> channel -> sums; only what is not zero

_INT64 = 1 << 63
_decode_chunk = msgpack.Decoder(Chunk).decode
_encode = msgpack.Encoder().encode


class WindowSums(NamedTuple):
    """The sessions that closed in one window. Ratios are made last, of sums; None is for 0 / 0."""

    sessions: int = 0
    counted: int = 0
    bounced: int = 0
    converted: int = 0
    duration_ms: int = 0

    def plus(self, other: Sequence[int]) -> "WindowSums":
        """Both together; revenue, which no window shows, is left out."""
        return WindowSums(
            self[0] + other[0], self[1] + other[1], self[2] + other[2], self[3] + other[3], self[4] + other[4]
        )

    @property
    def bounce_ratio(self) -> float | None:
        return self.bounced / self.counted if self.counted else None

    @property
    def conversion_ratio(self) -> float | None:
        return self.converted / self.sessions if self.sessions else None

    @property
    def mean_duration_seconds(self) -> float | None:
        return self.duration_ms / self.sessions / 1000 if self.sessions else None


def add(sums: Sums, delta: Sequence[int], sign: int = 1) -> None:
    """Add ``delta`` to ``sums``, or take it away. Revenue wraps at 64 bits, as SQL's sum does."""
    sums[0] += sign * delta[0]
    sums[1] += sign * delta[1]
    sums[2] += sign * delta[2]
    sums[3] += sign * delta[3]
    sums[4] += sign * delta[4]
    revenue = sums[5] + sign * delta[5]
    sums[5] = revenue if -_INT64 <= revenue < _INT64 else (revenue + _INT64) % (2 * _INT64) - _INT64


def sum_sessions(
    facts: Iterable[SessionFact], pane_ms: int, closed: Closed | None = None
) -> list[SessionSums]:
    """What facts and closed sessions add to each pane, if anything: a unit of work of a large site says little more
    than of a small.
    """
    panes = closed.panes(closed.channel, pane_ms) if closed else {}
    for fact in facts:
        key = (fact.site, fact.channel, fact.close_time // pane_ms)
        sums = panes.get(key)
        if sums is None:
            sums = panes[key] = [0] * 6
        own = (1, fact.counted, fact.bounced, fact.converted, fact.duration_ms, fact.revenue_micros)
        add(sums, own, fact.sign)
    return [
        SessionSums(site, channel, pane * pane_ms, sums)
        for (site, channel, pane), sums in panes.items()
        if any(sums)
    ]


def sum_segments(
    facts: Iterable[SessionFact], pane_ms: int, dimensions: Mapping[str, int], closed: Closed | None = None
) -> list[Measure]:
    """The same by segment, in measures named SEGMENT, dimension, SEGMENT, value. ``dimensions``: name -> its place in
    the context.
    """
    panes: dict[tuple[str, str, int], Sums] = {}
    if closed:
        unpaid = closed._replace(sums=(*closed.sums[:5], np.zeros_like(closed.start)))
        for dimension, place in dimensions.items():
            panes |= unpaid.panes(closed.context.map(partial(_segment, dimension, place)).distinct(), pane_ms)
    for fact in facts:
        own = (1, fact.counted, fact.bounced, fact.converted, fact.duration_ms, 0)
        for dimension, place in dimensions.items():
            name = _segment(dimension, place, fact.context)
            add(panes.setdefault((fact.site, name, fact.close_time // pane_ms), [0] * 6), own, fact.sign)
    return [
        Measure(site, name, pane * pane_ms, sums) for (site, name, pane), sums in panes.items() if any(sums)
    ]


def _segment(dimension: str, place: int, context: str) -> str:
    """The name of its measure."""
    return f"{SEGMENT}{dimension}{SEGMENT}{context.split(SEPARATOR)[place]}"


class Panes:
    """Pane sums of every site, for ever: a correction may reach a pane of any age, and must know its sums.

    They are stored in chunks of 60 panes and loaded by ``get`` when touched; memory holds what is in use.
    """

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        self._get = get
        self._hot: dict[tuple[str, int], Chunk] = {}
        self._cold: dict[tuple[str, int], Chunk] = {}  # used before the last turn of generations
        self._changed: dict[tuple[str, int], None] = {}

    def add(self, site: str, pane: int, deltas: Mapping[str, Sums]) -> dict[str, Sums]:
        """Change the sums of one pane by channel; returns them as they are now, but for those that are zero.

        The lists are the pane's from now on.
        """
        number = pane // PANES_PER_CHUNK
        chunk = self._chunk(site, number)
        self._changed[site, number] = None
        channels = chunk.get(pane)
        if channels is None:
            channels = chunk[pane] = {}
        for channel, delta in deltas.items():
            sums = channels.get(channel)
            if sums is None:
                channels[channel] = delta
                continue
            add(sums, delta)
            if not any(sums):
                del channels[channel]
        if not channels:
            del chunk[pane]
        return channels

    def between(self, site: str, chunks: list[int], low: int, high: int) -> Iterator[tuple[str, Sums]]:
        """(channel, sums) of all panes in (low, high] that lie in ``chunks`` (ascending chunk numbers)."""
        panes: defaultdict[str, list[Sums]] = defaultdict(list)
        first = bisect_left(chunks, (low + 1) // PANES_PER_CHUNK)
        last = bisect_right(chunks, high // PANES_PER_CHUNK)
        for number in chunks[first:last]:
            chunk = self._chunk(site, number)
            start = number * PANES_PER_CHUNK
            for pane in range(max(low + 1, start), min(high + 1, start + PANES_PER_CHUNK)):
                if pane in chunk:
                    for channel, sums in chunk[pane].items():
                        panes[channel].append(sums)
        for channel, several in panes.items():
            yield channel, [sum(column) for column in zip(*several, strict=True)]

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """The chunks that changed since the last call, packed. Those long at rest leave the memory."""
        for site, number in self._changed:
            yield _key(site, number), _encode(self._hot[site, number])
        self._changed.clear()
        if len(self._hot) > HOT_CHUNKS:
            self._hot, self._cold = {}, self._hot

    def _chunk(self, site: str, number: int) -> Chunk:
        chunk = self._hot.get((site, number))
        if chunk is None:
            chunk = self._cold.pop((site, number), None)
            if chunk is None:
                packed = self._get(_key(site, number))
                chunk = {} if packed is None else _decode_chunk(packed)
            self._hot[site, number] = chunk
        return chunk


def _key(site: str, number: int) -> bytes:
    return f"panes\x1f{site}\x1f{number}".encode()
