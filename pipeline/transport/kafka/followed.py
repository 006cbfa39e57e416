"""A topic of one partition that every process follows: read from its beginning, then as it grows; and added to.

What a broker that is away keeps from being read or written is tried again, and said in the log.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from pipeline.settings import SettingsError
from pipeline.transport.kafka.connection import BrokerError, Consumer, cut_off, start

POLL_MS = 500
RETRY_SECONDS = 1.0
REQUEST_MS = 10_000
START_SECONDS = 60.0  # a busy broker leads a topic that was just made only a while later
_log = logging.getLogger(__name__)

Record = tuple[bytes, bytes | None]  # key, value; None ends it


def put(known: dict[Any, Any], name: Any, value: Any) -> None:
    """What a record says: the newest of a key holds; None ends it."""
    if value is None:
        known.pop(name, None)
    else:
        known[name] = value


class Followed:
    """``topic``: its name in the cluster. ``take`` is given each record, ``on_change`` called after each read."""

    def __init__(self, topic: str, options: dict[str, Any], take: Callable[[Any], None]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._source = TopicPartition(topic, 0)
        self._options = options | {"request_timeout_ms": REQUEST_MS}
        self._take = take
        self._consumer: Any = None
        self._ends: Any = None  # sees what is not committed yet, too: then it is waited for
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()  # several add at the same time
        self._following: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._position = 0
        self._has_begun = False

    async def start(self) -> None:
        """Returns when everything that the topic holds now is known. :class:`BrokerError`: after START_SECONDS it is
        not. :class:`SettingsError`: it may not be read.
        """
        self._consumer = Consumer(
            **self._options,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        self._ends = Consumer(**self._options)
        await self._consumer.start()
        await self._ends.start()
        self._consumer.assign([self._source])
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(lambda _: self._moved.set())  # whoever waits is to be told
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._read_first()
        except TimeoutError as error:
            raise BrokerError(
                f"topic {self._source.topic} cannot be read for {START_SECONDS:.0f} s: is there a broker that leads it?"
            ) from error

    async def _read_first(self) -> None:
        while True:
            try:
                await self.catch_up()
                self.check()
                self._has_begun = True
                return
            except KafkaTimeoutError as error:
                _log.warning("%s cannot be read yet, trying again: %r", self._source.topic, error)

    async def stop(self) -> None:
        """Close the connections."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        for consumer in (self._consumer, self._ends):
            if consumer is not None:
                await consumer.stop()
        if self._producer is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(REQUEST_MS / 1000):
                    await self._producer.stop()
            await cut_off(self._producer)

    async def catch_up(self) -> None:
        """Until everything that is in the topic now is known."""
        await self._read_to(self._consumer)

    async def settle(self) -> None:
        """The same, with what is committed and cannot be read yet, or still has to be decided."""
        await self._read_to(self._ends)

    async def _read_to(self, consumer: Any) -> None:
        end = (await consumer.end_offsets([self._source]))[self._source]
        await self.until(lambda: self._position >= end)

    async def until(self, is_so: Callable[[], object]) -> None:
        """Until what is known makes it so. Raises as :meth:`check`."""
        while not is_so():
            self.check()
            self._moved.clear()
            await self._moved.wait()

    def check(self) -> None:
        """Raises what following has ended with: a record that cannot be read, say of a later version."""
        if self._following is not None and self._following.done() and not self._following.cancelled():
            self._following.result()

    async def _follow(self) -> None:
        while True:
            try:
                found = await self._consumer.getmany(timeout_ms=POLL_MS)
                for record in found.get(self._source, ()):
                    self._take(record)
                self._position = await self._consumer.position(self._source)
                if found:
                    self.on_change()
                self._moved.set()
            except KafkaError as error:
                if isinstance(error, TopicAuthorizationFailedError) and not self._has_begun:
                    name = self._source.topic
                    raise SettingsError(
                        f"topic {name} may not be read by this user: the right Read"
                    ) from error
                _log.warning("%s cannot be read, trying again: %r", self._source.topic, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def add(self, records: Sequence[Record]) -> None:
        """Durable when it returns. :class:`KafkaError`: try again."""
        async with self._making:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options, acks="all", enable_idempotence=True)
                await start(producer)
                self._producer = producer
        for key, value in records:
            await self._producer.send_and_wait(self._source.topic, value, key=key, partition=0)
