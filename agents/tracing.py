"""The transport of the hops, watched for traces: what each unit of work consumed and sent, and until when it took.

Around the hops of one process with topics on SQLite. Without traces nothing of it is there. A span begins when the
oldest hit in it was received: it holds the waiting and the work.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from agents.hop import Transport, Unit
from pipeline.traces import Range, Traces
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.state import StateStore
from schemas.topics import TOPICS

READER = {topic.name: topic.readers[0] for topic in TOPICS if topic.readers}
End = Callable[[str, int], int]


class TracedTransport:
    """``end``: offset that the next record of a partition will get."""

    def __init__(self, inner: Transport, traces: Traces, end: End) -> None:
        self._inner = inner
        self._traces = traces
        self._end = end
        self.state = inner.state
        self.journal = inner.journal
        self.partitions = inner.partitions

    def unit(self) -> "TracedUnit":
        """A unit of work that is told when it is committed."""
        return TracedUnit(self._inner.unit(), self._traces, self._end)


class TracedUnit:
    """See :class:`agents.hop.Unit`."""

    def __init__(self, inner: Unit, traces: Traces, end: End) -> None:
        self._inner = inner
        self._traces = traces
        self._end = end
        self._sent: Counter[tuple[str, int]] = Counter()

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """As the inner one."""
        self._inner.send(topic, partition, values)
        self._sent[topic, partition] += len(values)

    async def commit(
        self, batches: Sequence[Batch], stores: Sequence[StateStore | Journal], *, now_ms: int
    ) -> None:
        """As the inner one; then tell."""
        await self._inner.commit(batches, stores, now_ms=now_ms)
        consumed = [batch for batch in batches if not batch.is_tick]
        if not consumed:
            return
        sent = []
        for (topic, partition), count in self._sent.items():
            if count:
                end = self._end(topic, partition)
                sent.append(Range(topic, partition, end - count, end))
        self._traces.worked(
            READER[consumed[0].topic],
            [Range(one.topic, one.partition, one.offsets[0], one.next_offset) for one in consumed],
            sent,
            min(one.timestamps[0] for one in consumed) * 1_000_000,
            time.time_ns(),
        )
