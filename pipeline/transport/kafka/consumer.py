"""The consumer of the driver: hands Faust one batch of a partition at a time, and ticks when there is nothing to read.

* A message is a :class:`KafkaBatch`, of which a partition has one in the agent's hands at most. The next is handed out
  when the agent is done with it and its transaction has begun; see the module ``partition``.
* Messages arrive as acknowledged, and Faust commits nothing: offsets belong to the units of work.
* A rebalance waits for units under way, then drops everything fetched and not begun. A partition that stays keeps its
  state; one that comes is taken up in the background and read only then, so that the rebalance itself is short.
* A tick is given when the broker itself has just said that there is nothing more.

An offset that the broker no longer has is an error in the log and never a silent jump.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage

from pipeline.transport.batch import Batch
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.thread import ConsumerThread
from pipeline.transport.kafka.unit import RECEIVED_BYTES
from pipeline.transport.message import hand_on, message_of
from schemas.topics import HITS

if TYPE_CHECKING:
    from pipeline.transport.kafka.driver import Transport

TICK_SECONDS = 0.5
FETCH_SECONDS = 0.05  # records of a partition that was not asked for this time wait so long

Fetched = dict[TP, tuple[list[Any], int]]


class Consumer(stock.Consumer):
    """See the module's docstring."""

    transport: "Transport"
    _thread: ConsumerThread

    def on_init(self) -> None:
        self._fetching: asyncio.Task[Fetched] | None = None
        self._asking: asyncio.Task[dict[TP, int]] | None = None
        self._generation = 0  # of what is being fetched
        self._wake = asyncio.Event()
        self._due = 0.0  # when to look again for what is due

    async def on_start(self) -> None:
        """Before the group is joined."""
        await self.transport.offsets.start()
        await super().on_start()

    async def on_stop(self) -> None:
        """After the last unit of work."""
        await super().on_stop()
        await self.transport.offsets.stop()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """A rebalance begins."""
        self.stop_flow()
        self._generation += 1
        await self.transport.owning.revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """A rebalance has ended; partitions are read once they have been taken up."""
        self._generation += 1
        tps = {TP(*tp) for tp in assigned}
        await self._thread.pause(tps)
        await super().on_partitions_assigned(assigned, generation_id)
        await self.transport.owning.assigned(tps, generation_id, self._thread)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            await hand_on(self, fetcher)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Batches need no list of active partitions: Faust would drop what it has paused meanwhile."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        return await self._getmany(None, timeout), None

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[KafkaBatch]]:
        deadline = time.monotonic() + timeout
        while self.flow_active and not self.should_stop:
            ready = self._hand_out()
            if ready or time.monotonic() >= deadline:
                return ready
            self._start_fetching()
            self._start_asking()
            await self._wait(deadline - time.monotonic())
        return {}

    def wake(self) -> None:
        """There may be something to hand out or to fetch."""
        self._wake.set()

    async def _wait(self, most_seconds: float) -> None:
        self._wake.clear()
        waking = asyncio.ensure_future(self._wake.wait())
        tasks = {task for task in (self._fetching, self._asking) if task is not None}
        seconds = max(0.0, min(most_seconds, self._due - time.monotonic()))
        await asyncio.wait({waking, *tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        if self._fetching is not None and self._fetching.done():
            self._take_fetched(self._fetching)
            self._fetching = None
        if self._asking is not None and self._asking.done():
            self._take_asked(self._asking)
            self._asking = None

    def _hand_out(self) -> dict[TP, list[KafkaBatch]]:
        """One batch of each partition of which one is due."""
        ready, owning, most, now = {}, self.transport.owning, self.transport.most_records, time.monotonic()
        self._due = now + TICK_SECONDS
        for tp, one in owning.partitions.items():
            due = one.due(most)
            if due is None:
                continue
            if owning.is_held(one):
                one.has_tick = False  # what it says will not be so any more
            elif due > now:
                self._due = min(self._due, due)
            else:
                one.in_hand = self._batch(one, *one.take(most))
                one.ticked = now
                ready[tp] = [one.in_hand]
        return ready

    def _start_fetching(self) -> None:
        if self._fetching is None:
            owning, most = self.transport.owning, self.transport.most_records
            wanted = {tp for tp, one in owning.partitions.items() if one.is_ready and not one.is_full(most)}
            if wanted:
                generation = self._generation
                is_wanted = lambda: generation == self._generation  # noqa: E731  (called from the thread)
                work = self._thread.fetch(wanted, FETCH_SECONDS, most, is_wanted)
                self._fetching = asyncio.create_task(self._of_generation(work))

    async def _of_generation(self, work: Any) -> Any:
        """What was asked for before a rebalance is not an answer after it."""
        generation = self._generation
        answer = await work
        return answer if generation == self._generation else type(answer)()

    def _take_fetched(self, fetched: "asyncio.Task[Fetched]") -> None:
        try:
            found = fetched.result()
        except OffsetOutOfRangeError as error:  # it goes on at the oldest offset, with an error in the log
            for tp in error.args[0]:
                self._give_up(TP(*tp), error)
            return
        except NoOffsetForPartitionError as error:  # asked for while we said where to begin
            self._go_on(TP(*error.args[0]))
            return
        except IllegalStateError:  # not assigned any more
            return
        for tp, (records, next_offset) in found.items():
            one = self.transport.owning.partitions.get(tp)
            if one is not None and one.is_ready:
                one.add(records, next_offset, time.monotonic())

    def _go_on(self, tp: TP) -> None:
        one = self.transport.owning.partitions.get(tp)
        if one is not None and one.is_ready:
            self.add_future(self._thread.resume({tp: one.position}))

    def _give_up(self, tp: TP, error: BaseException) -> None:
        one = self.transport.owning.partitions.get(tp)
        if one is not None:
            self.transport.owning.failed(one, error, self._thread)

    def _start_asking(self) -> None:
        """Which of the idle partitions are read to their end? Asked about as often as ticks are due."""
        now = time.monotonic()
        if self._asking is None:
            owning = self.transport.owning
            idle = {
                tp
                for tp, one in owning.partitions.items()
                if one.is_ready
                and one.in_hand is None
                and not one.fetched
                and now - one.ticked >= TICK_SECONDS
                and not owning.is_held(one)
            }
            if idle:
                self._asking = asyncio.create_task(self._of_generation(self.transport.offsets.ends(idle)))

    def _take_asked(self, asked: "asyncio.Task[dict[TP, int]]") -> None:
        try:
            ends = asked.result()
        except KafkaError:  # the broker is away: no time passes
            return
        for tp, end in ends.items():
            one = self.transport.owning.partitions.get(tp)
            if one is None or not one.is_ready or one.in_hand is not None or one.fetched:
                continue
            one.has_tick = one.position >= end

    def _batch(self, one: Partition, records: Sequence[Any], next_offset: int) -> KafkaBatch:
        topic = self.transport.cluster.names.bare(one.tp.topic)
        is_hits = topic == HITS.name
        time_of = _appended if is_hits else _received
        keys = () if is_hits else [record.key for record in records]
        return KafkaBatch(
            topic=topic,
            partition=one.tp.partition,
            values=[record.value for record in records],
            timestamps=[time_of(record) for record in records],
            offsets=[record.offset for record in records],
            next_offset=next_offset,
            is_caught_up=not records,  # what is so after a batch, the next tick tells
            is_final=False,
            on_release=self._released,
            owner=one,
            carried=[key[RECEIVED_BYTES:] for key in keys if len(key) > RECEIVED_BYTES],
        )

    def _released(self, batch: Batch) -> None:
        if isinstance(batch, KafkaBatch) and batch.owner.release(batch):
            self.wake()

    def _to_message(self, tp: TP, record: KafkaBatch) -> ConsumerMessage:
        return message_of(tp, record, self.app.consumer_generation_id)

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def highwater(self, tp: TP) -> int:
        """For Faust's monitor, which is not asked for its figures."""
        return 0

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Each partition has been brought there when it was taken up."""
        return {}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True  # a unit of work has done so

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch for a consumer that hangs, which miscounts; see docs/metrics.md for the lag."""


def _appended(record: Any) -> int:
    """A collector has stamped the record itself."""
    time_ms: int = record.timestamp
    return time_ms


def _received(record: Any) -> int:
    """A unit of work has kept the time as the key."""
    return int.from_bytes(record.key[:RECEIVED_BYTES])
