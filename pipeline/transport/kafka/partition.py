"""What a worker has of one input partition: its transactions and memory, where it is read, the batch in hand.

A partition is *lost* when a rebalance gives it to another worker, or when its transactions fail. Then nothing of it may
have any effect any more: batches that are still in hand are refused. If it comes back, it comes as a new object.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from faust.types import TP

from pipeline.transport.batch import Batch
from pipeline.transport.kafka.memory import KafkaState, Memory
from pipeline.transport.kafka.transactions import PartitionLostError, Transactions


class KafkaBatch(Batch):
    """A batch that knows whose it is. ``carried``: names of the spans that its records come from, where traced."""

    owner: "Partition"
    carried: Sequence[bytes] = ()

    def check(self) -> None:
        """Raises PartitionLostError."""
        self.owner.check()


class Partition:
    """``transactions``: None for a topic whose reader writes to no topic. ``memory``: what is remembered, by name."""

    def __init__(self, tp: TP) -> None:
        self.tp = tp
        self.transactions: Transactions | None = None
        self.memory: dict[str, Memory] = {}
        self.committed = 0  # where the next owner would go on
        self.position = 0  # where the next batch begins
        self.handed = 0  # where the last batch that a hop has begun ends
        self.is_ready = False
        self.is_lost = False
        self.waiting: deque[KafkaBatch] = deque()  # fetched, not yet handed out
        self.in_hand: KafkaBatch | None = None
        self.ticked = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    def check(self) -> None:
        """Raises when the partition is lost."""
        if self.is_lost:
            raise PartitionLostError(f"{self.tp.topic}-{self.tp.partition}: another worker's now")

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

    def drop_tick(self) -> None:
        """A tick that waits is not handed out; batches with records stay."""
        if self.waiting and self.waiting[0].is_tick:
            self.waiting.popleft()

    def rewind(self) -> None:
        """Drop what is fetched and not begun; it is read again from the committed offset."""
        self.waiting.clear()
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
