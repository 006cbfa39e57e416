"""What a hop remembers of one partition as a run of numbered entries, of which the oldest are dropped.

It is for state that is kept in columns: an entry holds what a unit of work changed, in the hop's own form. Which
entries are still needed is known to the hop alone (``pipeline.core.slots``). Nothing of it stays in memory.
"""

from collections.abc import Iterator

from pipeline.transport.log import Log


class Journal:
    """One partition's journal of one hop."""

    def __init__(self, log: Log, store: str, partition: int) -> None:
        self.store = store
        self.partition = partition
        self._log = log
        self._entry: bytes | None = None
        self._needed = 0
        numbers = self._log.change_numbers(store, partition)
        self._first, self.next = (numbers[0], numbers[-1] + 1) if numbers else (0, 0)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """(number, entry), oldest first."""
        for number, changes in self._log.changes(self.store, self.partition):
            for _, entry in changes:
                assert entry is not None
                yield number, entry

    def add(self, entry: bytes | None, *, needed: int) -> None:
        """Within a unit of work: the entry numbered :attr:`next`, and the first one still needed to restore."""
        self._entry, self._needed = entry, needed

    @property
    def has_changes(self) -> bool:
        """Is there anything to write?"""
        return self._entry is not None or self._needed > self._first

    def write_changes(self) -> None:
        """Inside the log's current transaction."""
        if self._entry is not None:
            self._log.append_changes(self.store, self.partition, self.next, [("", self._entry)])
            self.next += 1
            self._entry = None
        if self._needed > self._first:
            self._log.drop_changes(self.store, self.partition, before=self._needed)
            self._first = self._needed
