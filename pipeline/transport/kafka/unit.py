"""The unit of work on Kafka: collects what a batch leads to; :meth:`KafkaUnit.commit` hands it to its partition.

A unit with outputs or state is a transaction of its one input partition, or part of one. A unit with neither, of the
hop that writes rows, commits offsets of any number of partitions as a member of the group, which refuses it once
they are another's. Batches of a partition that is lost are refused with ``PartitionLostError``.
"""

from collections.abc import Awaitable, Callable, Sequence

from pipeline.transport.batch import Batch
from pipeline.transport.kafka.memory import Memory, Records
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.transactions import Sent

RECEIVED_BYTES = 8
CommitOffsets = Callable[[Sequence[tuple[Partition, int]]], Awaitable[None]]


class KafkaUnit:
    """``commit_offsets``: for partitions without transactions. ``owner_of``: whose memory it is. ``carried``: what else
    the keys of its records hold, see ``pipeline.traces``.
    """

    def __init__(
        self, names: Names, commit_offsets: CommitOffsets, owner_of: Callable[[Memory], Partition]
    ) -> None:
        self._names = names
        self._commit_offsets = commit_offsets
        self._owner_of = owner_of
        self._values: dict[tuple[str, int], list[bytes]] = {}
        self._notes: Sent = {}
        self.carried = b""

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Records for a partition; nothing is sent before the commit."""
        if values:
            self._values.setdefault((self._names.topic(topic), partition), []).extend(values)

    def note(self, topic: str, records: Records) -> None:
        """Keyed records for the one partition of a topic that all processes follow."""
        self._notes[self._names.topic(topic), 0] = records

    async def commit(self, batches: Sequence[Batch], stores: Sequence[Memory], *, now_ms: int) -> None:
        """All or nothing. ``batches`` are those that were consumed.

        What is sent keeps, as its key, the time at which the oldest of what it comes from was received. Its own time is
        that of the writing, since by that the broker counts how long it keeps it.
        Without batches the partition is the one that ``stores`` belong to.
        """
        consumed = [batch for batch in batches if isinstance(batch, KafkaBatch)]
        owner = consumed[0].owner if consumed else self._owner_of(stores[0])
        for batch in consumed:
            batch.owner.check()
        owner.check()
        if owner.transactions is None:
            await self._commit_offsets([(batch.owner, batch.next_offset) for batch in consumed])
            return
        offsets = [batch.next_offset for batch in consumed if not batch.is_tick]
        received = min((batch.timestamps[0] for batch in consumed if not batch.is_tick), default=now_ms)
        key, values = received.to_bytes(RECEIVED_BYTES) + self.carried, self._values
        self._values = {}
        sent: Sent = {at: [(key, value) for value in of_one] for at, of_one in values.items()}
        sent.update(self._notes)
        await owner.transactions.submit(sent, stores, max(offsets, default=None))
