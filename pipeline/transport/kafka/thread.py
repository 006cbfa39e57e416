"""The consumer, in its thread: what the driver asks of aiokafka, each call made on that thread's event loop.

Heartbeats are sent from here, and go on while the main thread works on a batch. aiokafka's objects are not safe to be
called from another thread, so every method goes through the thread's queue.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from pipeline.transport.kafka.records import fetch

if TYPE_CHECKING:
    from pipeline.transport.kafka.driver import Transport

FETCH_WAIT_MS = 500
FETCH_BYTES = 4 * 1024**2  # of one partition


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """Not one record at a time, and with our offsets."""

    def _create_worker_consumer(self, transport: "Transport") -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = transport.owning.assignor
        return AIOKafkaConsumer(
            **transport.cluster.options,
            client_id=conf.broker_client_id,
            group_id=transport.cluster.names.group,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
        )

    async def on_start(self) -> None:
        """As Faust's; and the fetch of one partition does not wait until another's records are taken."""
        await super().on_start()
        self._ensure_consumer()._fetcher._prefetch_backoff = 0

    async def fetch(self, tps: set[TP], *, seconds: float, most: int) -> dict[TP, list[Any]]:
        """Records of these, as soon as there are some."""
        return await self.call_thread(self._fetch, tps, seconds, most)  # type: ignore[no-any-return]

    async def _fetch(self, tps: set[TP], seconds: float, most: int) -> dict[TP, list[Any]]:
        consumer = self._ensure_consumer()
        if consumer._closed or not self.consumer.flow_active:
            return {}
        with consumer._fetcher._subscriptions.fetch_context():
            found = await fetch(consumer, _ours(tps), seconds=seconds, most=most)
        return {TP(*tp): records for tp, records in found.items()}

    async def pause(self, tps: set[TP]) -> None:
        """Do not fetch from these before :meth:`resume`."""
        await self.call_thread(self._pause, tps)

    async def _pause(self, tps: set[TP]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*(consumer.assignment() & _ours(tps)))

    async def resume(self, offsets: Mapping[TP, int]) -> None:
        """Fetch from these offsets on; what is not assigned (any more) is left out."""
        await self.call_thread(self._resume, offsets)

    async def _resume(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp in consumer.assignment() & _ours(set(offsets)):
            consumer.seek(tp, offsets[tp])
            consumer.resume(tp)

    async def begins(self, tps: set[TP]) -> dict[TP, int]:
        """The oldest offset that each still has."""
        found = await self.call_thread(self._ensure_consumer().beginning_offsets, _ours(tps))
        return {TP(*tp): offset for tp, offset in found.items()}

    async def are_at_end(self, tps: set[TP]) -> set[TP]:
        """Those with nothing more to read, as of now: asked of the broker, since a process may have been stopped."""
        return await self.call_thread(self._are_at_end, tps)  # type: ignore[no-any-return]

    async def _are_at_end(self, tps: set[TP]) -> set[TP]:
        consumer = self._ensure_consumer()
        ends = await consumer.end_offsets(_ours(tps))
        assigned = consumer.assignment()
        return {
            TP(*tp)
            for tp, end in ends.items()
            if tp in assigned and await consumer.position(tp) >= end and tp not in consumer._fetcher._records
        }

    async def commit_as_member(self, offsets: Mapping[TP, int]) -> None:
        """The group refuses it if this worker is no member of the present generation."""
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        await self.call_thread(self._ensure_consumer().commit, wanted)

    async def rejoin(self) -> None:
        """Ask for a rebalance: what comes out of it is ours for certain."""
        await self.call_thread(self._rejoin)

    async def _rejoin(self) -> None:
        self._ensure_consumer()._coordinator.request_rejoin()


def _ours(tps: set[TP]) -> set[TopicPartition]:
    return {TopicPartition(*tp) for tp in tps}
