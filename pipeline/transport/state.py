"""What a hop remembers of one partition: key -> bytes, in memory, with a changelog in the transport.

The changelog is cleaned as it grows: when it holds more than twice what lives, the oldest entry is dropped and what of
it is still the latest value of its key is written again, a little with each unit of work.
"""

from collections import deque
from collections.abc import Iterator, MutableMapping

from pipeline.transport.log import Change, Log

_SLACK = 20_000  # changes that a small store may keep before it is cleaned
_CLEANED_PER_CHANGE = 4  # old changes for each new one: more than are written again, so it always catches up


class StateStore(MutableMapping[str, bytes]):
    """One partition's state of one hop. Reads see the changes that the current unit of work has made."""

    def __init__(self, log: Log, store: str, partition: int) -> None:
        self.store = store
        self.partition = partition
        self._log = log
        self._data: dict[str, bytes] = {}
        self._changes: dict[str, bytes | None] = {}
        self._entries: deque[tuple[int, int]] = deque()  # (sequence, number of changes), oldest first
        self._written = 0  # changes in all entries
        # The abstract class's ``get`` goes through an exception for each key that is not there.
        self.get = self._data.get  # type: ignore[method-assign]
        self._restore()

    def __getitem__(self, key: str) -> bytes:
        return self._data[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._data[key] = value
        self._changes[key] = value

    def __delitem__(self, key: str) -> None:
        del self._data[key]
        self._changes[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def write_changes(self) -> None:
        """Append what changed to the changelog, inside the log's current transaction."""
        if not self._changes:
            return
        self._clean()
        sequence = self._entries[-1][0] + 1 if self._entries else 0
        changes: list[Change] = list(self._changes.items())
        self._log.append_changes(self.store, self.partition, sequence, changes)
        self._entries.append((sequence, len(changes)))
        self._written += len(changes)
        self._changes = {}

    def _clean(self) -> None:
        most = _CLEANED_PER_CHANGE * len(self._changes)
        while most > 0 and self._written > 2 * len(self._data) + _SLACK:
            sequence, count = self._entries.popleft()
            self._written -= count
            most -= count
            for key, value in self._log.take_changes(self.store, self.partition, sequence):
                if value is not None and self._data.get(key) == value:
                    self._changes.setdefault(key, value)

    def _restore(self) -> None:
        for sequence, changes in self._log.changes(self.store, self.partition):
            self._entries.append((sequence, len(changes)))
            self._written += len(changes)
            for key, value in changes:
                if value is None:
                    self._data.pop(key, None)
                else:
                    self._data[key] = value
