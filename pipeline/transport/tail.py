"""What this process has lately appended and reads itself: it need not be read back from the file and unpacked.

Only what is committed is had from here, and the file alone counts: what is not here is read from there. When the tail
is full the older rows stay, since they are read first; those that have been read are let go of.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.transport.packing import Payload

TAIL_BYTES: Final = 64_000_000


Row = tuple[int, int, Payload]
"""Offset of its first record, how many there are, the records."""


class _Kept(NamedTuple):
    """``size``: bytes, packed."""

    row: Row
    end: int
    size: int


class Tail:
    """Rows of the topics of :meth:`keep`; of none at first. ``most``: bytes of all of them, packed."""

    def __init__(self, most: int = TAIL_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._topics: frozenset[str] = frozenset()
        self._kept: defaultdict[tuple[str, int], deque[_Kept]] = defaultdict(deque)
        self._uncommitted: list[tuple[tuple[str, int], _Kept]] = []

    def keep(self, topics: Iterable[str]) -> None:
        """These are read by this process."""
        self._topics = frozenset(topics)

    def begin(self) -> None:
        """A transaction begins."""
        self._uncommitted = []

    def append(self, topic: str, partition: int, base: int, payload: Payload, size: int) -> None:
        """Within a transaction. Nobody may change the payload from now on."""
        if topic in self._topics:
            count = len(payload.values)
            self._uncommitted.append(((topic, partition), _Kept((base, count, payload), base + count, size)))

    def commit(self) -> None:
        """The transaction is durable."""
        for at, kept in self._uncommitted:
            if self._bytes + kept.size <= self._most:
                self._kept[at].append(kept)
                self._bytes += kept.size
        self._uncommitted = []

    def read(self, topic: str, partition: int, offset: int) -> list[Row]:
        """Without a gap from the row on that holds ``offset``; empty if that one is not here."""
        found: list[Row] = []
        for kept in self._kept[topic, partition]:
            if kept.row[0] > offset:
                break
            if kept.end > offset:
                found.append(kept.row)
                offset = kept.end
        return found

    def let_go(self, topic: str, partition: int, before: int) -> None:
        """Of the rows that end by this offset: they have been read."""
        rows = self._kept[topic, partition]
        while rows and rows[0].end <= before:
            self._bytes -= rows.popleft().size

    def clear(self) -> None:
        """Other hands have changed the file."""
        self._kept.clear()
        self._bytes = 0
