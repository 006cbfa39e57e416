"""The unit of work on Kafka: collects what a batch leads to; :meth:`KafkaUnit.commit` hands it to its partition.

A unit with outputs or state is a transaction of its one input partition, or part of one. A unit with neither, of the
hop that writes rows, commits offsets of any number of partitions as a member of the group, which refuses it once
they are another's. Batches of a partition that is lost are refused with ``PartitionLostError``.
"""

from collections.abc import Awaitable, Callable, Sequence

from pipeline.transport.batch import Batch
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.state import KafkaState

CommitOffsets = Callable[[Sequence[tuple[Partition, int]]], Awaitable[None]]


class KafkaUnit:
    """``commit_offsets``: for partitions without transactions."""

    def __init__(self, names: Names, commit_offsets: CommitOffsets) -> None:
        self._names = names
        self._commit_offsets = commit_offsets
        self._sent: dict[tuple[str, int], list[bytes]] = {}

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Records for a partition; nothing is sent before the commit."""
        if values:
            self._sent.setdefault((self._names.topic(topic), partition), []).extend(values)

    async def commit(self, batches: Sequence[Batch], stores: Sequence[KafkaState], *, now_ms: int) -> None:
        """All or nothing. ``batches`` are those that were consumed; ``now_ms`` is the broker's affair here."""
        consumed = [batch for batch in batches if isinstance(batch, KafkaBatch)]
        for batch in consumed:
            batch.owner.check()
        first = consumed[0]
        if first.owner.transactions is None:
            await self._commit_offsets([(batch.owner, batch.next_offset) for batch in consumed])
            return
        next_offset = None if first.is_tick else first.next_offset
        changes = {key: value for store in stores for key, value in store.take_changes().items()}
        if self._sent or changes or next_offset is not None:
            await first.owner.transactions.submit(self._sent, changes, next_offset)
        self._sent = {}
