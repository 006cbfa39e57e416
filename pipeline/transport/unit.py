"""The unit of work: state changes, output records and consumed offsets of a batch, in one transaction.

Either all of it has taken place or none of it: after a crash the batch is read again and the state is as it was before.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.log import Log
from pipeline.transport.state import StateStore


class Sent(Struct):
    """Records for one partition, in the order in which they were sent."""

    topic: str
    partition: int
    values: list[bytes]


class UnitOfWork:
    """Collects what a batch leads to; :meth:`commit` makes it so, last of all."""

    def __init__(self, log: Log, consumer: str, *, on_commit: Callable[[], None]) -> None:
        self._on_commit = on_commit
        self._log = log
        self._consumer = consumer
        self._sent: dict[tuple[str, int], Sent] = {}

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Records for a partition; nothing is sent before the commit."""
        if values:
            sent = self._sent.setdefault((topic, partition), Sent(topic, partition, []))
            sent.values += values

    async def commit(
        self, batches: Sequence[Batch], stores: Sequence[StateStore | Journal], *, now_ms: int
    ) -> None:
        """Make it so: all or nothing. ``batches`` are those that were consumed.

        What is sent keeps the time at which the oldest of what it comes from was received, so that the last hop knows
        how long the way was. A tick of which nothing came costs nothing.
        """
        consumed = [batch for batch in batches if not batch.is_tick]
        if not (self._sent or consumed or any(store.has_changes for store in stores)):
            return
        received = min((batch.timestamps[0] for batch in consumed), default=now_ms)
        with self._log.transaction():
            for sent in self._sent.values():
                times = [received] * len(sent.values)
                self._log.append(sent.topic, sent.partition, sent.values, now_ms=now_ms, timestamps=times)
            for store in stores:
                store.write_changes()
            for batch in consumed:
                self._log.commit_offset(self._consumer, batch.topic, batch.partition, batch.next_offset)
        self._sent = {}
        self._on_commit()
