"""Hits -> the topic ``hits`` on SQLite: to the partition of their key, durable when it returns."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from zlib import crc32

from pipeline.collector.publisher import Record, Unavailable
from pipeline.core.parting import rows_of, targets_of
from pipeline.transport.log import Log
from schemas.topics import HITS

BACKLOG_MS = 100


class LogPublisher:
    """Appends records (key, value), a batch as one transaction. ``consumer``: whose backlog is counted; ``on_append``:
    there is something to read.
    """

    def __init__(
        self,
        log: Log,
        consumer: str,
        *,
        now_ms: Callable[[], int],
        on_append: Callable[[], None] = lambda: None,
    ) -> None:
        partitions = log.partitions(HITS.name)
        if partitions is None:
            raise KeyError(HITS.name)
        self._partitions = partitions
        self._log = log
        self._consumer = consumer
        self._now_ms = now_ms
        self._on_append = on_append
        self._counted_ms = -BACKLOG_MS
        self._backlog = 0

    async def publish(self, records: Sequence[Record]) -> None:
        """See :class:`pipeline.collector.publisher.Publisher`."""
        self.append(records)

    def append(self, records: Sequence[Record]) -> None:
        """All of them or none. A hit without a key (it could not be read) goes by its bytes."""
        count = self._partitions
        targets: list[list[bytes]] = [[] for _ in range(count)]
        for key, value in records:
            targets[crc32(key or value) % count].append(value)
        now_ms = self._now_ms()
        with self._appending(len(records)):
            for partition, some in enumerate(targets):
                if some:
                    self._log.append(HITS.name, partition, some, now_ms=now_ms)

    def append_hits(self, values: Sequence[bytes]) -> None:
        """The same of many hits, whose keys are found here."""
        now_ms = self._now_ms()
        rows = rows_of(values, targets_of(values, self._partitions), self._partitions, now_ms)
        with self._appending(len(values)):
            for partition, row in enumerate(rows):
                if len(row.starts):
                    self._log.append_row(HITS.name, partition, row, now_ms=now_ms)

    @contextmanager
    def _appending(self, count: int) -> Iterator[None]:
        try:
            with self._log.transaction():
                yield
        except sqlite3.OperationalError as error:  # locked, or the disk is full
            raise Unavailable(f"{self._log.path.name}: {error}") from error
        self._backlog += count
        self._on_append()

    def backlog(self) -> int:
        """Hits that the sessionizer has not consumed: counted anew every ``BACKLOG_MS``, each request asks."""
        now_ms = self._now_ms()
        if not 0 <= now_ms - self._counted_ms < BACKLOG_MS:
            self._counted_ms = now_ms
            committed = self._log.committed(self._consumer)
            ends = self._log.ends()
            self._backlog = sum(end - committed.get(tp, 0) for tp, end in ends.items() if tp[0] == HITS.name)
        return self._backlog
