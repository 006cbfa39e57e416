"""What a worker has of one input partition: its transactions and memory, where it is read, what is fetched of it, the
batch in hand.

A batch is all that was fetched while the one before was in hand, and lingers for more. Were each fetch a batch of its
own, small ones would queue, nearly as dear as big ones, and a worker that is behind would stay behind.

A partition is *lost* when a rebalance gives it to another worker, or when its transactions fail. Then nothing of it may
have any effect any more: batches that are still in hand are refused. If it comes back, it comes as a new object.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from faust.types import TP

from pipeline.transport.batch import Batch
from pipeline.transport.kafka.memory import KafkaState, Memory
from pipeline.transport.kafka.transactions import PartitionLostError, Transactions

MOST_BYTES = 4 * 1024**2  # fetched and not handed out: there may be one fetch more than that, of as much


class KafkaBatch(Batch):
    """A batch that knows whose it is. ``carried``: names of the spans that its records come from, where traced."""

    owner: "Partition"
    carried: Sequence[bytes] = ()

    def check(self) -> None:
        """Raises PartitionLostError."""
        self.owner.check()


class Partition:
    """``transactions``: None for a topic whose reader writes to no topic. ``memory``: what is remembered, by name.
    ``linger_seconds``: how long the first record that is fetched waits for others.
    """

    def __init__(self, tp: TP, *, linger_seconds: float = 0.0) -> None:
        self.tp = tp
        self.linger_seconds = linger_seconds
        self.transactions: Transactions | None = None
        self.memory: dict[str, Memory] = {}
        self.committed = 0  # where the next owner would go on
        self.position = 0  # where the next batch begins
        self.handed = 0  # where the last batch that a hop has begun ends
        self.is_ready = False
        self.is_lost = False
        self.fetched: list[Any] = []  # records, not yet handed out
        self.has_tick = False  # to hand out: there was nothing to read
        self.in_hand: KafkaBatch | None = None
        self.ticked = 0.0
        self._fetched_bytes = 0
        self._fetched_since = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    def check(self) -> None:
        """Raises when the partition is lost."""
        if self.is_lost:
            raise PartitionLostError(f"{self.tp.topic}-{self.tp.partition}: another worker's now")

    def add(self, records: Sequence[Any], next_offset: int, now: float) -> None:
        """What a fetch gave; without records, too: there was a transaction's marker, or what was aborted."""
        records = [record for record in records if record.offset >= self.position]
        if records:
            self._fetched_since = self._fetched_since if self.fetched else now
            self._fetched_bytes += _bytes_of(records)
            self.fetched += records
            self.has_tick = False
        self.position = max(next_offset, self.position)

    def is_full(self, most: int) -> bool:
        """Enough is fetched for a batch of so many records, or of so many bytes."""
        return len(self.fetched) >= most or self._fetched_bytes >= MOST_BYTES

    def due(self, most: int) -> float | None:
        """From when on the next batch may be handed out. None: there is none, or the hop or the transactions are not
        done with those before.
        """
        is_behind = self.transactions is not None and self.transactions.is_behind
        if self.in_hand is not None or is_behind or not (self.fetched or self.has_tick):
            return None
        return 0.0 if self.has_tick or self.is_full(most) else self._fetched_since + self.linger_seconds

    def take(self, most: int) -> tuple[list[Any], int]:
        """All that is fetched, but not more than so many records; and where the batch after them begins."""
        taken, self.fetched = self.fetched[:most], self.fetched[most:]
        self._fetched_bytes = _bytes_of(self.fetched)
        self.has_tick = False
        return taken, self.fetched[0].offset if self.fetched else self.position

    def begin(self, batch: KafkaBatch) -> bool:
        """A hop begins with the batch. False: it is one of before a rebalance, and not to be handled."""
        if self.is_lost or self.in_hand is not batch:
            return False
        self._idle.clear()
        if not batch.is_tick:
            self.handed = batch.next_offset
        return True

    def end(self) -> None:
        """The hop is done with it, in whatever way."""
        self._idle.set()

    def release(self, batch: KafkaBatch) -> bool:
        """The next batch may come. False: it does not matter any more."""
        if self.in_hand is not batch:
            return False
        self.in_hand = None
        return True

    def rewind(self) -> None:
        """Drop what is fetched and not begun; it is read again from the committed offset."""
        self.fetched, self._fetched_bytes, self.has_tick = [], 0, False
        self.in_hand = None
        self.position = self.handed = self.committed

    def start(self, offset: int) -> None:
        """Everything before this offset is done."""
        self.committed = self.position = self.handed = offset
        self.is_ready = True

    @property
    def is_done(self) -> bool:
        """Everything that hops have begun is committed."""
        return self.committed >= self.handed

    @property
    def is_quiet(self) -> bool:
        """No batch is with its hop or on its way there, and everything is committed."""
        return self.in_hand is None and self._idle.is_set() and self.is_done

    async def settle(self) -> None:
        """Until the hop is done with its batch and everything is committed. Raises when the partition is lost."""
        await self._idle.wait()
        if self.transactions is not None:
            await self.transactions.drain()
        self.check()

    async def forget(self) -> None:
        """It is lost: let go of what is remembered, once the hop is done with it."""
        await self._idle.wait()
        for memory in self.memory.values():
            if isinstance(memory, KafkaState):
                memory.close()


def _bytes_of(records: Sequence[Any]) -> int:
    return sum(len(record.value or b"") for record in records)
