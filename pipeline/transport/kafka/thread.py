"""The consumer, in its thread: what the driver asks of aiokafka, each call made on that thread's event loop.

Heartbeats are sent from here, and go on while the main thread works on a batch. aiokafka's objects are not safe to be
called from another thread.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from pipeline.transport.kafka.connection import Consumer
from pipeline.transport.kafka.records import fetch

if TYPE_CHECKING:
    from pipeline.transport.kafka.driver import Transport

FETCH_WAIT_MS = 100  # a fetch that waits holds up the next one to the same broker, for other partitions
FETCH_LEAST_BYTES = 2 * 1024**2  # of all partitions: at 15,000 hits/s each fetch waits, else units are small
PREFETCH_BACKOFF_SECONDS = 0.05
FETCH_BYTES = 4 * 1024**2  # of one partition


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """Not one record at a time, and with our offsets."""

    def _create_worker_consumer(self, transport: "Transport") -> Consumer:
        conf = self.app.conf
        self._assignor = transport.owning.assignor
        return Consumer(
            **transport.cluster.options,
            client_id=conf.broker_client_id,
            group_id=transport.cluster.names.group,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_min_bytes=FETCH_LEAST_BYTES,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
        )

    async def on_start(self) -> None:
        """As Faust's. What a fetch gave is taken at once, and the next one asks for those partitions too; only records
        that nobody takes, as there are enough of theirs, hold it up, and not for long.
        """
        await super().on_start()
        self._ensure_consumer()._fetcher._prefetch_backoff = PREFETCH_BACKOFF_SECONDS

    async def _call(self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
        """On the thread's loop; Faust's own queue lets two calls pass at a time, and a fetch waits."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(*arguments), self.thread_loop))

    async def fetch(
        self, tps: set[TP], seconds: float, most: int, is_wanted: Callable[[], bool]
    ) -> dict[TP, tuple[list[Any], int]]:
        """Records of these, as soon as there are some, and where each is read on: behind what has no records, too."""
        return await self._call(self._fetch, tps, seconds, most, is_wanted)  # type: ignore[no-any-return]

    async def _fetch(
        self, tps: set[TP], seconds: float, most: int, is_wanted: Callable[[], bool]
    ) -> dict[TP, tuple[list[Any], int]]:
        consumer = self._ensure_consumer()
        if consumer._closed or not self.consumer.flow_active:
            return {}
        with consumer._fetcher._subscriptions.fetch_context():
            found = await fetch(consumer, _ours(tps), seconds=seconds, most=most, is_wanted=is_wanted)
        if not is_wanted():
            return {}
        assigned = consumer.assignment()
        return {
            tp: (found.get(TopicPartition(*tp), []), await consumer.position(TopicPartition(*tp)))
            for tp in tps
            if TopicPartition(*tp) in assigned
        }

    async def pause(self, tps: set[TP]) -> None:
        """Do not fetch from these before :meth:`resume`."""
        await self._call(self._pause, tps)

    async def _pause(self, tps: set[TP]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*(consumer.assignment() & _ours(tps)))

    async def resume(self, offsets: Mapping[TP, int]) -> None:
        """Fetch from these offsets on; what is not assigned (any more) is left out."""
        await self._call(self._resume, offsets)

    async def _resume(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp in consumer.assignment() & _ours(set(offsets)):
            consumer.seek(tp, offsets[tp])
            consumer.resume(tp)

    async def commit_as_member(self, offsets: Mapping[TP, int]) -> None:
        """The group refuses it if this worker is no member of the present generation."""
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        await self._call(self._ensure_consumer().commit, wanted)

    async def rejoin(self) -> None:
        """Ask for a rebalance: what comes out of it is ours for certain."""
        await self._call(self._rejoin)

    async def _rejoin(self) -> None:
        self._ensure_consumer()._coordinator.request_rejoin()


def _ours(tps: set[TP]) -> set[TopicPartition]:
    return {TopicPartition(*tp) for tp in tps}
