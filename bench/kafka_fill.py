"""Hits into the topic ``hits`` of a namespace of its own: seen at once, or all together when that is said.

:func:`hidden` puts them into one transaction, which workers see when it is committed, and not before. So workers can
start, join the group and stand ready over a topic that is full: the clock then runs from the first hit to the last, and
not one was worked on before.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]

from pipeline.collector.publisher import Unavailable
from pipeline.core.plain_fields import keys_of
from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import BATCH_BYTES, KafkaPublisher
from pipeline.transport.kafka.topics import TopicAdmin

CHUNK = 2_000
LEADERS_SECONDS = 2.0  # partitions of a topic that was just made may have none yet
HIDDEN_MS = 600_000  # the broker gives a transaction up after that

Show = Callable[[], Awaitable[None]]


def settings_of(address: str, data: str, **others: object) -> Settings:
    """A namespace of its own in the cluster. Recorded hits are old: none of them is late."""
    base = Settings(
        broker=f"kafka://{address}",
        broker_prefix=f"b{uuid.uuid4().hex[:12]}",
        broker_replication=1,
        data=data,
        listen="127.0.0.1:0",
        allowed_lateness_seconds=366 * 86_400,
        dedupe_hours=366 * 24,
    )
    return msgspec.structs.replace(base, **others)


def first_lines(path: Path, count: int) -> list[bytes]:
    """So many hits of the file; ValueError: it has fewer."""
    with path.open("rb") as lines:
        found = [line.rstrip() for line in islice(lines, count)]
    if len(found) < count:
        raise ValueError(f"{path} has {len(found)} hits, {count} were asked for")
    return found


async def fill(settings: Settings, hits: Iterable[bytes]) -> int:
    """Make the topics and put the hits into them, as a collector does; returns how many."""
    publisher = KafkaPublisher(*_where(settings), now_ms=_now_ms)
    count = await _send(publisher, settings, hits)
    await publisher.stop()
    return count


@asynccontextmanager
async def hidden(settings: Settings, hits: Iterable[bytes]) -> AsyncIterator[Show]:
    """As :func:`fill`; those who read what is committed see the hits when what this gives was awaited."""
    publisher = _Hiding(*_where(settings), now_ms=_now_ms)
    await _send(publisher, settings, hits)
    try:
        yield publisher.show
    finally:
        await publisher.stop()


class _Hiding(KafkaPublisher):
    """All it sends is one transaction."""

    async def _new_producer(self) -> AIOKafkaProducer:
        self._producer = producer = AIOKafkaProducer(
            **self._options,
            transactional_id=f"{self._topic}.filling",
            transaction_timeout_ms=HIDDEN_MS,
            max_batch_size=BATCH_BYTES,
        )
        await producer.start()
        await producer.begin_transaction()
        return producer

    async def show(self) -> None:
        """Commit."""
        assert self._producer is not None, "not started"
        await self._producer.commit_transaction()


def _where(settings: Settings) -> tuple[Names, int, dict[str, Any]]:
    return Names(settings.broker_prefix), settings.partitions, client_options(settings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _send(publisher: KafkaPublisher, settings: Settings, hits: Iterable[bytes]) -> int:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    await publisher.start()
    source, count = iter(hits), 0
    while chunk := list(islice(source, CHUNK)):
        records = list(zip(keys_of(chunk), chunk, strict=True))
        try:
            await publisher.publish(records)
        except Unavailable:
            if count:
                raise
            await asyncio.sleep(LEADERS_SECONDS)
            await publisher.publish(records)
        count += len(chunk)
    return count
