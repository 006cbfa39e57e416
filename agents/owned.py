"""Hops of a worker that is one of several: partitions come and go, and what a hop remembers goes with them.

A hop is made for each partition that has come, and forgotten when the partition is lost. The hop that writes rows
collects blocks over all its partitions: there is one of it at a time, forgotten when any of them is lost.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from agents.hop import Hop
from pipeline.metrics import Metrics
from pipeline.transport.batch import Batch
from pipeline.transport.kafka.partition import KafkaBatch
from pipeline.transport.kafka.transactions import PartitionLostError

STALE_TICK_SECONDS = 2.0  # later than that there may be something to read, and sessions would close too early
_log = logging.getLogger(__name__)


class OwnedHop:
    """``make``: a new hop. ``per_partition``: one for each, else one for all. ``arrived`` is told of each batch, and
    ``before`` waited for, with the hop, before the hop handles it.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Hop],
        topics: tuple[str, ...],
        metrics: Metrics,
        *,
        per_partition: bool,
        arrived: Callable[[str, KafkaBatch], None] = lambda *_: None,
        before: Callable[[Hop, KafkaBatch], Awaitable[None]] | None = None,
    ) -> None:
        self._name = name
        self._make = make
        self._topics = topics
        self._metrics = metrics
        self._per_partition = per_partition
        self._arrived = arrived
        self._before = before
        self._hops: dict[int, Hop] = {}

    async def handle(self, batch: Batch) -> None:
        """Let the partition's hop handle it; a batch of a partition that was lost has no effect."""
        assert isinstance(batch, KafkaBatch), "from another transport"
        await asyncio.sleep(
            0
        )  # batches that wait in Faust's queue are not handled in one turn of the event loop
        owner = batch.owner
        if batch.is_tick and time.monotonic() - owner.ticked > STALE_TICK_SECONDS:
            return
        if not owner.begin(batch):
            return
        key = batch.partition if self._per_partition else 0
        self._arrived(self._name, batch)
        try:
            hop = self.hop_of(key)
            if self._before is not None:
                await self._before(hop, batch)
            await hop.handle(batch)
        except PartitionLostError as error:
            _log.info("%s: %s", self._name, error)
            if self._hops.get(key) is hop:
                del self._hops[key]
        finally:
            owner.end()

    def hop_of(self, key: int) -> Hop:
        """Of a partition, or the one of all of them (0)."""
        hop = self._hops.get(key)
        if hop is None:
            hop = self._hops[key] = self._make()
        return hop

    def forget(self, topic: str, partition: int) -> None:
        """A partition has been lost: what is remembered of it holds no more, and its gauges are another worker's."""
        if topic not in self._topics:
            return
        self._hops.pop(partition if self._per_partition else 0, None)
        self._metrics.revoke(self._name, partition)
