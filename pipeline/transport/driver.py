"""Faust transport driver for topics on SQLite: ``faust.App(broker="sqlite:///path/to/masir.db")``.

One process owns all partitions. A message is a :class:`Batch`: what one partition has to give, at most one in flight a
partition, so that an agent's unit of work is always the next one. A partition that is read to its end gives a tick
about every ``TICK_SECONDS``; one with few records waits up to ``LINGER_SECONDS`` for more, since a unit of work costs
milliseconds however small it is. Offsets belong to the units of work, so Faust's own acknowledging and committing are
switched off: its messages arrive as acknowledged already.

What a driver must do: docs of faust.transport.base; which of it matters was found by reading faust-streaming 0.15.3.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from faust.transport import base
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.producer import Producer as BaseProducer
from faust.types import TP, ConsumerMessage, RecordMetadata

from pipeline.transport.batch import Batch
from pipeline.transport.ending import Ending
from pipeline.transport.journal import Journal
from pipeline.transport.log import NO_RECORDS, Log
from pipeline.transport.message import message_of
from pipeline.transport.rows import Cold
from pipeline.transport.state import StateStore
from pipeline.transport.unit import UnitOfWork

TICK_SECONDS = 0.5
POLL_SECONDS = 0.05  # how soon another process's records are seen
LINGER_SECONDS = 0.2
FEW_RECORDS = 1_000
MOST_RECORDS = 5_000  # of one batch: keeps a unit of work, which holds the event loop, well under 0.1 s

Ends = Mapping[tuple[str, int], int]
"""Offset that the next record will get, by topic and partition; absent: it has had none."""


class Consumer(BaseConsumer):
    """Reads the partitions; see the module's docstring."""

    transport: "Transport"

    def on_init(self) -> None:
        self._positions: dict[TP, int] = {}
        self._given: dict[TP, float] = {}  # when a partition's last batch or tick was
        self._in_flight: set[TP] = set()
        self._ends: Ends = {}  # when the partitions were last looked at

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Ours are created with their retention before the app starts; Faust's own are not needed."""

    async def subscribe(self, topics: Iterable[str]) -> None:
        """All partitions of the topics are ours, once Faust has gone through its steps of a rebalance."""
        log = self.transport.log
        log.tail.keep(topics)
        assigned = {
            TP(topic, partition) for topic in topics for partition in range(log.partitions(topic) or 0)
        }
        self.add_future(self._assign(assigned))

    async def _assign(self, assigned: set[TP]) -> None:
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(set(self._positions))
        self.app.consumer_generation_id += 1
        self._positions = dict.fromkeys(assigned, 0)
        await self.on_partitions_assigned(set(assigned), self.app.consumer_generation_id)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Faust sleeps a second when there is no partition yet: here they come at once."""
        while self.flow_active and not self.should_stop and not self._get_active_partitions():
            await asyncio.sleep(POLL_SECONDS)
        return await super()._wait_next_records(timeout)  # type: ignore[no-any-return]

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Batch]]:
        deadline = time.monotonic() + timeout
        while True:
            active = self._positions if active_partitions is None else active_partitions
            ends = self._ends = self.transport.log.ends()
            ready = {tp: [batch] for tp in sorted(active) if (batch := self._next(tp, ends)) is not None}
            if ready or not self.flow_active or time.monotonic() >= deadline:
                return ready
            await self.transport.wait_for_records(POLL_SECONDS)

    def _next(self, tp: TP, ends: Ends) -> Batch | None:
        """The partition's next batch, or a tick if it is due and there is nothing to read."""
        if tp in self._in_flight or tp not in self._positions:
            return None
        log, position, now = self.transport.log, self._positions[tp], time.monotonic()
        end, since = ends.get(tp, 0), now - self._given.get(tp, 0.0)
        ending, is_final = self.transport.ending, False
        if position < end:
            is_few = end - position < FEW_RECORDS and tp.topic not in self.transport.gathered
            if is_few and since < LINGER_SECONDS and ending is None:
                return None
            records = log.read(tp.topic, tp.partition, position, most=self.transport.most_records)
            position = records.offsets[-1] + 1
        else:
            is_final = (
                ending is not None and ending.may_end(*tp) and self._is_quiet(ending.circle(tp.topic), ends)
            )
            if not is_final and since < TICK_SECONDS:
                return None
            records = NO_RECORDS
        self._given[tp] = now
        self._positions[tp] = position
        self._in_flight.add(tp)
        return Batch(
            topic=tp.topic,
            partition=tp.partition,
            values=records.values,
            timestamps=records.timestamps,
            offsets=records.offsets,
            next_offset=position,
            is_caught_up=position >= end,
            is_final=is_final,
            on_release=self._released,
        )

    def _is_quiet(self, topics: frozenset[str], ends: Ends) -> bool:
        """Nothing of these topics is left to be read, or being worked on."""
        return all(
            tp not in self._in_flight and position >= ends.get(tp, 0)
            for tp, position in self._positions.items()
            if tp.topic in topics
        )

    def _released(self, batch: Batch) -> None:
        self._in_flight.discard(TP(batch.topic, batch.partition))
        if batch.is_final and self.transport.ending is not None:
            self.transport.ending.ended(batch.topic, batch.partition)
        self.transport.wake()

    def _to_message(self, tp: TP, record: Batch) -> ConsumerMessage:
        return message_of(tp, record, self.app.consumer_generation_id)

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def assignment(self) -> set[TP]:
        """Everything that was subscribed to."""
        return set(self._positions)

    def highwater(self, tp: TP) -> int:
        """Offset that the next record would have got a moment ago: Faust counts with it, and asks after every batch."""
        return self._ends.get(tp, 0)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Offset that the next record of each will get."""
        return {tp: self.transport.log.end(*tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Offset of the oldest record of each."""
        return {tp: self.transport.log.begin(*tp) for tp in partitions}

    async def position(self, tp: TP) -> int | None:
        """Offset of the next record to read."""
        return self._positions.get(tp)

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset
        self._in_flight.discard(partition)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Read on from these offsets."""
        for tp, offset in partitions.items():
            await self.seek(tp, offset)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Read on where the last unit of work of each partition ended."""
        committed = self.transport.log.committed(self.transport.consumer_name)
        for tp in self._positions:
            await self._seek(tp, committed.get(tp, 0))
        return dict(self._positions)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True  # a unit of work has done so

    def topic_partitions(self, topic: str) -> int | None:
        """Number of partitions, None if there is no such topic."""
        return self.transport.log.partitions(topic)

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Faust asks this for its own transactions only, which are not used."""
        return partition

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch for a consumer that hangs; a read from a file does not."""

    verify_recovery_event_path = verify_event_path


class Producer(BaseProducer):
    """For messages that are sent outside a unit of work: each is a transaction of its own."""

    transport: "Transport"

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,
    ) -> Awaitable[RecordMetadata]:
        """Append one message; the result is known at once."""
        log, tp = self.transport.log, TP(topic, partition or 0)
        with log.transaction():
            offset = log.append(topic, tp.partition, [value or b""], now_ms=int(time.time() * 1000))
        self.transport.wake()
        done: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        done.set_result(
            RecordMetadata(topic, tp.partition, tp, offset, timestamp, 0 if timestamp is None else 1)
        )
        return done

    async def send_and_wait(self, *args: Any, **options: Any) -> RecordMetadata:
        """As :meth:`send`."""
        return await (await self.send(*args, **options))

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """See :meth:`Consumer.create_topic`."""

    async def flush(self) -> None:
        """Send what Faust has buffered."""
        await self.buffer.flush()

    def key_partition(self, topic: str, key: bytes) -> TP:
        """Faust asks this for its own transactions only, which are not used."""
        return TP(topic, 0)


class Transport(base.Transport):
    """One SQLite file. What the agents use of it: :meth:`unit`, :meth:`state`, :meth:`partitions`."""

    Consumer = Consumer
    Producer = Producer
    driver_version = "sqlite"
    default_port = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.log = Log(Path(self.url[0].path))  # which is decoded
        self.most_records = MOST_RECORDS
        self.gathered: Collection[str] = ()  # topics that an agent gathers itself: none waits for more
        self.ending: Ending | None = None
        self.cold: Cold | None = None  # where rows of state go that are too many for the memory
        self._records_came = asyncio.Event()
        self._partitions: dict[str, int] = {}

    @property
    def consumer_name(self) -> str:
        """Whose committed offsets these are (Kafka: the consumer group)."""
        return str(self.app.conf.id)

    def unit(self) -> UnitOfWork:
        """A new unit of work."""
        return UnitOfWork(self.log, self.consumer_name, on_commit=self.wake)

    def state(self, store: str, partition: int) -> StateStore:
        """What a hop remembers of a partition, as of the last unit of work."""
        return StateStore(self.log, store, partition, self.cold)

    def journal(self, store: str, partition: int) -> Journal:
        """The same for state in columns."""
        return Journal(self.log, store, partition)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has, which never changes; KeyError if there is no such topic."""
        if topic not in self._partitions:
            count = self.log.partitions(topic)
            if count is None:
                raise KeyError(topic)
            self._partitions[topic] = count
        return self._partitions[topic]

    def wake(self) -> None:
        """There may be something to read."""
        self._records_came.set()

    async def wait_for_records(self, most_seconds: float) -> None:
        """Until :meth:`wake`, or so long."""
        try:
            async with asyncio.timeout(most_seconds):
                await self._records_came.wait()
        except TimeoutError:
            return
        self._records_came.clear()
