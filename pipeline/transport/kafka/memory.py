"""What a hop remembers of one partition, in the two forms that hops know: by key, and as a run of numbered entries.

Both are topics. By key: compacted, a deleted key is a tombstone, and of a key that changed several times since the last
transaction only the newest value travels. Numbered: never compacted; the oldest entries are deleted by us once they are
needed no more. An entry is cut into parts, so that it may be of any size. The key of a part names entry and part, and
the first entry that was still needed when it was written: older ones that are still there are left out on reading.

The transaction that commits a unit of work takes the changes along.
"""

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.transport.rows import ChangedRows, Rows

PART_BYTES = 900_000  # below what a broker takes by default
_part = struct.Struct(">QQII")  # number of the entry, first one needed, part, parts

Records = list[tuple[bytes | None, bytes | None]]  # key, value


class KafkaState(ChangedRows):
    """By key. ``records``: of its topic, all of them; or :meth:`take_up` is given them. ``rows``: where they are."""

    def __init__(self, topic: str, records: Iterable[Any] = (), rows: Rows | None = None) -> None:
        super().__init__(Rows() if rows is None else rows)
        self.topic = topic
        self._staged: dict[str, bytes | None] = {}
        self.take_up(records)
        self.taken_up()

    def take_up(self, records: Iterable[Any]) -> None:
        """The next ones of its topic; :meth:`taken_up` comes after the last."""
        self._rows.load((record.key.decode(), record.value) for record in records)

    def taken_up(self) -> None:
        """All records were taken up."""
        self._rows.loaded()
        self._settle()

    def close(self) -> None:
        """Nothing is asked of it any more: what is on disk is gone."""
        self._rows.close()

    def stage(self) -> None:
        """The unit is handed in: what it changed goes with the next transaction."""
        self._staged.update(self._changes)
        self._changes = {}
        self._settle()

    def take_records(self) -> Records:
        """The newest of what was handed in since the last call, for the next transaction."""
        staged, self._staged = self._staged, {}
        return [(key.encode(), value) for key, value in staged.items()]

    def written(self, offset: int) -> None:
        """A transaction with records of it is committed; they begin at ``offset``."""


class KafkaJournal:
    """Numbered. ``records``: of its topic, as far as they were not deleted."""

    def __init__(self, topic: str, records: Iterable[Any] = ()) -> None:
        self.topic = topic
        self._entries, self._offsets = _read(records)
        self.next = self._entries[-1][0] + 1 if self._entries else 0
        self._needed = self._entries[0][0] if self._entries else 0
        self._entry: bytes | None = None
        self._staged: list[tuple[int, int, bytes]] = []  # number, needed, entry
        self._taken: list[tuple[int, int, bytes]] = []
        self._needed_if_restored = self._needed

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """(number, entry), oldest first; once, then they are forgotten."""
        entries, self._entries = self._entries, deque()
        while entries:
            yield entries.popleft()

    def add(self, entry: bytes | None, *, needed: int) -> None:
        """Within a unit of work: the entry numbered :attr:`next`, and the first one still needed to restore."""
        self._entry, self._needed = entry, needed

    def stage(self) -> None:
        """The unit is handed in."""
        if self._entry is not None:
            self._staged.append((self.next, self._needed, self._entry))
            self.next += 1
            self._entry = None

    def take_records(self) -> Records:
        """The entries since the last call, for the next transaction."""
        self._taken, self._staged = self._staged, []
        return [record for number, needed, entry in self._taken for record in _parts(number, needed, entry)]

    def written(self, offset: int) -> None:
        """A transaction with entries is committed; they begin at ``offset``."""
        self._offsets.append((self._taken[0][0], offset))
        self._needed_if_restored = self._taken[-1][1]
        self._taken = []

    def take_deletable(self) -> int | None:
        """Offset before which records are needed no more, if there are some since the last call.

        By what is committed: a unit that is still under way may need fewer, and may come to nothing.
        """
        deletable = None
        while len(self._offsets) > 1 and self._offsets[1][0] <= self._needed_if_restored:
            self._offsets.popleft()
            deletable = self._offsets[0][1]
        return deletable


Memory = KafkaState | KafkaJournal


def _parts(number: int, needed: int, entry: bytes) -> Iterator[tuple[bytes, bytes]]:
    count = -(-len(entry) // PART_BYTES) or 1
    for part in range(count):
        yield _part.pack(number, needed, part, count), entry[part * PART_BYTES : (part + 1) * PART_BYTES]


def _read(records: Iterable[Any]) -> tuple[deque[tuple[int, bytes]], deque[tuple[int, int]]]:
    """Entries, and where each begins: (number, entry), (number, offset)."""
    entries: deque[tuple[int, bytes]] = deque()
    offsets: deque[tuple[int, int]] = deque()
    parts: list[bytes] = []
    first_needed = 0
    for record in records:
        number, first_needed, part, count = _part.unpack(record.key)
        if part == 0:
            parts = []
            offsets.append((number, record.offset))
        parts.append(record.value)
        if len(parts) == count:  # else its first parts are deleted already
            entries.append((number, b"".join(parts)))
    while entries and entries[0][0] < first_needed:
        entries.popleft()
    return entries, offsets
