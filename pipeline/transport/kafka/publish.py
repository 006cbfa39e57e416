"""Hits -> the topic ``hits`` on Kafka: to the partition of their key, on all in-sync replicas when it returns.

The producer is idempotent: what it sends again after a lost answer is not there twice. All records of a publish that
fails are answered as not taken, though some may have been: the sender tries again, and ``hit_id`` makes it harmless.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline.collector.publisher import Record, Unavailable
from pipeline.core.ids import partition_of
from pipeline.core.plain_fields import keys_of
from pipeline.settings import Settings
from pipeline.traces import Range, Traces
from pipeline.transport.kafka.connection import (
    BrokerError,
    Consumer,
    client_options,
    cut_off,
    reaching,
    start,
)
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.offsets import committed_by
from pipeline.transport.kafka.topics import usable_partitions
from pipeline.transport.kafka.unit import RECEIVED_BYTES
from schemas.topics import HITS

BACKLOG_SECONDS = 1.0  # how often it is counted
BATCH_BYTES = 1024**2
REQUEST_MS = 10_000
OPERATORS_HITS = 2_000  # of one publish
_log = logging.getLogger(__name__)


class KafkaPublisher:
    """``partitions``: of the topic. ``options``: of aiokafka's clients. ``traces`` are told of what was sent."""

    def __init__(
        self,
        names: Names,
        partitions: int,
        options: dict[str, Any],
        *,
        now_ms: Callable[[], int],
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces
        self._topic = names.topic(HITS.name)
        self._group = names.group
        self._partitions = partitions
        self._options = options
        self._now_ms = now_ms
        self._backlog = 0
        self._since_count = 0
        self._counting: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect. Raises what aiokafka does where there is no cluster."""
        await self._new_producer()
        self._counting = asyncio.create_task(self._count())

    async def stop(self) -> None:
        """What was accepted has been sent; close."""
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.wait([self._counting])
        if self._producer is not None:
            await self._producer.stop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def publish(self, records: Sequence[Record]) -> None:
        """See :class:`pipeline.collector.publisher.Publisher`. A hit without a key goes by its bytes."""
        start_ns = time.time_ns()
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(crc32(record[0] or record[1]) % self._partitions, []).append(record)
        try:
            producer = self._producer or await self._new_producer()
            pending: list[asyncio.Future[Any]] = []
            first: dict[int, asyncio.Future[Any]] = {}
            for partition, of_partition in by_partition.items():
                sent = await self._send(producer, partition, of_partition)
                first[partition] = sent[0]
                pending += sent
            await asyncio.gather(*pending)
        except KafkaError as error:
            self._drop_producer()
            raise Unavailable(str(error) or repr(error)) from error
        except asyncio.CancelledError:  # it took too long: an idempotent producer would go on trying for ever
            self._drop_producer()
            raise
        self._since_count += len(records)
        if self._traces is not None:
            for partition, sent_first in first.items():
                begin = sent_first.result().offset
                appended = Range(HITS.name, partition, begin, begin + len(by_partition[partition]))
                self._traces.collected(appended, start_ns, time.time_ns())

    async def _send(
        self, producer: AIOKafkaProducer, partition: int, records: list[Record]
    ) -> list[asyncio.Future[Any]]:
        now_ms, pending = self._now_ms(), []
        builder = producer.create_batch()
        for key, value in records:
            if builder.append(timestamp=now_ms, key=key or None, value=value) is None:  # full
                pending.append(await producer.send_batch(builder, self._topic, partition=partition))
                builder = producer.create_batch()
                builder.append(timestamp=now_ms, key=key or None, value=value)
        builder.close()
        pending.append(await producer.send_batch(builder, self._topic, partition=partition))
        return pending

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_MS,
        )
        await start(producer)
        self._producer = producer
        return producer

    def _drop_producer(self) -> None:
        """What has been answered as not taken must not be sent later; the next publish makes a new producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            closing = asyncio.create_task(cut_off(producer))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def backlog(self) -> int:
        """Hits that the sessionizer has not consumed, as of the last count and with what was sent since."""
        return self._backlog + self._since_count

    async def _count(self) -> None:
        """For ever: an old count could refuse all hits. The broker's being away leaves it: publishing will say so."""
        while True:
            admin = AIOKafkaAdminClient(**self._options)
            consumer = Consumer(**self._options)
            try:
                await admin.start()
                await consumer.start()
                while True:
                    await self._count_once(admin, consumer)
                    await asyncio.sleep(BACKLOG_SECONDS)
            except Exception as error:
                _log.warning("how far the workers are behind is not known: %r", error)
            finally:
                await consumer.stop()
                await admin.close()
            await asyncio.sleep(BACKLOG_SECONDS)

    async def _count_once(self, admin: AIOKafkaAdminClient, consumer: Consumer) -> None:
        partitions = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        sent = self._since_count
        committed = await committed_by(admin, self._group, partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        self._backlog = sum(ends[p] - max(committed[p], begins[p]) for p in partitions)
        self._since_count -= sent


async def send_as_operator(settings: Settings, topic: str, key: str, value: bytes, *, now_ms: int) -> None:
    """One record for the partition of ``key``, beside the units of work. :class:`BrokerError`: there is no cluster."""
    partitions = await usable_partitions(settings)
    with reaching(settings.broker):
        async with AIOKafkaProducer(
            **client_options(settings), acks="all", enable_idempotence=True
        ) as producer:
            await producer.send_and_wait(
                Names(settings.broker_prefix).topic(topic),
                value,
                key=now_ms.to_bytes(RECEIVED_BYTES),
                partition=partition_of(key, partitions[topic]),
            )


@asynccontextmanager
async def publishing(settings: Settings, *, now_ms: Callable[[], int]) -> AsyncIterator[KafkaPublisher]:
    """An operator's way to the topic of a cluster that must be there: :class:`BrokerError`. No backlog is counted."""
    partitions = await usable_partitions(settings)
    publisher = KafkaPublisher(
        Names(settings.broker_prefix), partitions[HITS.name], client_options(settings), now_ms=now_ms
    )
    try:
        yield publisher
    finally:
        await publisher.stop()


async def append_hits(settings: Settings, hits: Sequence[bytes], *, now_ms: int) -> None:
    """Hits of an operator, as a collector publishes those of its senders. :class:`BrokerError`: not all are there."""
    async with publishing(settings, now_ms=lambda: now_ms) as publisher:
        try:
            for at in range(0, len(hits), OPERATORS_HITS):
                some = list(hits[at : at + OPERATORS_HITS])
                await publisher.publish(list(zip(keys_of(some), some, strict=True)))
        except Unavailable as error:
            raise BrokerError(f"broker {settings.broker}: {error}") from error
