"""The transport of one worker's hops, watched for traces: which units of work a chosen hit was in, whoever did them.

A unit's records carry the name of its span to whoever consumes them. A span begins when the oldest hit in it was
received, and ends when its transaction is committed; one whose partition is lost has no end, and is never sent.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from agents.tracing import READER
from pipeline.traces import Range, Traces
from pipeline.transport.batch import Batch
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.transactions import PartitionLostError
from pipeline.transport.kafka.unit import KafkaUnit


class TracedKafka:
    """See :class:`agents.hop.Transport`."""

    def __init__(self, inner: Transport, traces: Traces) -> None:
        self._inner = inner
        self._traces = traces
        self._ending: set[asyncio.Task[None]] = set()
        self.state: Callable[[str, int], Any] = inner.state
        self.journal: Callable[[str, int], Any] = inner.journal
        self.partitions = inner.partitions

    def unit(self) -> "TracedKafkaUnit":
        """A unit of work with a span, if a chosen hit is in it."""
        return TracedKafkaUnit(self._inner.unit(), self._traces, self._end)

    def _end(self, span: Any, owner: Partition) -> None:
        task = asyncio.create_task(_ended(span, owner))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class TracedKafkaUnit:
    """See :class:`agents.hop.Unit`."""

    def __init__(self, inner: KafkaUnit, traces: Traces, end: Any) -> None:
        self._inner = inner
        self._traces = traces
        self._end = end
        self.send = inner.send

    async def commit(self, batches: Sequence[Batch], stores: Sequence[Any], *, now_ms: int) -> None:
        """As the inner one."""
        consumed = [batch for batch in batches if isinstance(batch, KafkaBatch) and not batch.is_tick]
        begun = None
        if consumed:
            begun = self._traces.begun(
                READER[consumed[0].topic],
                [Range(one.topic, one.partition, one.offsets[0], one.next_offset) for one in consumed],
                [context for one in consumed for context in one.carried],
                min(one.timestamps[0] for one in consumed) * 1_000_000,
            )
        if begun is not None:
            span, self._inner.carried = begun
        await self._inner.commit(batches, stores, now_ms=now_ms)
        if begun is not None:
            self._end(span, consumed[0].owner)


async def _ended(span: Any, owner: Partition) -> None:
    if owner.transactions is not None:
        try:
            await owner.transactions.catch_up()
        except PartitionLostError:
            return
    span.end(time.time_ns())
