"""What a hop remembers of one partition: key -> bytes, with a changelog in the transport. What is too much for the
memory is on disk (``pipeline.transport.rows``).

The changelog is cleaned as it grows: when it holds more than twice what lives, the oldest entry is dropped and what of
it is still the latest value of its key is written again, a little with each unit of work.
"""

from collections import deque

from pipeline.transport.log import Log
from pipeline.transport.packing import Change
from pipeline.transport.rows import ChangedRows, Cold, rows_of

_SLACK = 20_000  # changes that a small store may keep before it is cleaned
_CLEANED_PER_CHANGE = 4  # old changes for each new one: more than are written again, so it always catches up


class StateStore(ChangedRows):
    """One partition's state of one hop. Reads see the changes that the current unit of work has made."""

    def __init__(self, log: Log, store: str, partition: int, cold: Cold | None = None) -> None:
        super().__init__(rows_of(store, cold))
        self.store = store
        self.partition = partition
        self._log = log
        self._entries: deque[tuple[int, int]] = deque()  # (sequence, number of changes), oldest first
        self._written = 0  # changes in all entries
        self._restore()

    @property
    def has_changes(self) -> bool:
        """Is there anything to write?"""
        return bool(self._changes)

    def write_changes(self) -> None:
        """Append what changed to the changelog, inside the log's current transaction."""
        if not self.has_changes:
            return
        self._clean()
        sequence = self._entries[-1][0] + 1 if self._entries else 0
        changes: list[Change] = list(self._changes.items())
        self._log.append_changes(self.store, self.partition, sequence, changes)
        self._entries.append((sequence, len(changes)))
        self._written += len(changes)
        self._changes = {}
        self._settle()

    def _clean(self) -> None:
        most = _CLEANED_PER_CHANGE * len(self._changes)
        while most > 0 and self._written > 2 * len(self._rows) + _SLACK:
            sequence, count = self._entries.popleft()
            self._written -= count
            most -= count
            for key, value in self._log.take_changes(self.store, self.partition, sequence):
                if value is not None and self._rows.peek(key) == value:
                    self._changes.setdefault(key, value)

    def _restore(self) -> None:
        for sequence, changes in self._log.changes(self.store, self.partition):
            self._entries.append((sequence, len(changes)))
            self._written += len(changes)
            self._rows.load(changes)
        self._rows.loaded()
        self._settle()
