"""Which input partitions this worker has, and how it comes by them and loses them.

Taking a partition up, in this order: its producer starts, which shuts an earlier owner out and ends what that one left
unfinished; then the committed offset and the state are read, which now cannot change any more; then it is read on. A
partition whose reader writes to no topic has no producer: its offsets are committed as a member of the group.

Losing one, by a rebalance or by a failed transaction: nothing of it has any effect from then on. After a failure the
group is asked for a rebalance, a little later each time, and whoever gets the partition takes it up anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from aiokafka import TopicPartition
from faust.types import TP

from pipeline.transport.kafka.assignor import Assignor, Claims
from pipeline.transport.kafka.memory import KafkaJournal
from pipeline.transport.kafka.names import INPUTS, STORES, Names
from pipeline.transport.kafka.offsets import Offsets
from pipeline.transport.kafka.partition import Partition
from pipeline.transport.kafka.restore import restore
from pipeline.transport.kafka.transactions import PartitionLostError, Transactions
from pipeline.transport.rows import Cold
from schemas.topics import HITS, TOUCHPOINTS

LINGER_SECONDS = {HITS.name: 0.25, TOUCHPOINTS.name: 0.4}  # no gauge waits for persons
LINGER_SECONDS_ELSE = 0.05
SETTLE_SECONDS = 15.0  # that a rebalance waits for units under way
RETRY_SECONDS = (0.2, 1.0, 5.0)  # after the first failure, the second, and each further one
_log = logging.getLogger(__name__)


class Reader(Protocol):
    """What is asked of the consumer."""

    async def resume(self, offsets: dict[TP, int]) -> None: ...

    async def rejoin(self) -> None: ...


class Owning:
    """The partitions of one worker. ``on_lost``: told of each partition that is lost: (bare topic, partition).
    ``cold``: where rows of state go that are too many for the memory.
    ``before_reading``: waited for before a partition that has come is read. ``is_held``: are its batches to wait now?
    """

    def __init__(
        self, names: Names, options: dict[str, Any], offsets: Offsets, cold: Cold | None = None
    ) -> None:
        self.names = names
        self.partitions: dict[TP, Partition] = {}
        self.assignor = Assignor(self._claims)
        self.on_lost: list[Callable[[str, int], None]] = []
        self.on_ready: Callable[[], None] = lambda: None
        self.before_reading: Callable[[Partition], Awaitable[None]] = _nothing
        self.is_held: Callable[[Partition], bool] = lambda _: False
        self.settle_seconds = SETTLE_SECONDS
        self._options = options
        self._offsets = offsets
        self._generation = -1
        self._cold = cold
        self._failures: dict[TP, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> set[TP]:
        """Those of ours that are not read: not yet, or given up and to be taken up again."""
        return {tp for tp, one in self.partitions.items() if not one.is_ready} | (
            self._failures.keys() - self.partitions.keys()
        )

    def _claims(self) -> Claims:
        held = [tuple(tp) for tp, one in self.partitions.items() if one.transactions is not None]
        return Claims(self._generation, held)

    async def revoked(self) -> None:
        """A rebalance begins. Returns when no unit of work is under way any more."""
        before = list(self.partitions.values())
        for one in before:
            if one.transactions is None:
                self.lose(one, "a rebalance has begun")
        results = await asyncio.gather(
            *(self._settle(one) for one in before if not one.is_lost), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, PartitionLostError):
                raise result

    async def _settle(self, one: Partition) -> None:
        try:
            async with asyncio.timeout(self.settle_seconds):
                await one.settle()
        except TimeoutError:
            self.lose(one, f"its units of work took more than {self.settle_seconds:.0f} s")
        else:
            one.rewind()

    async def assigned(self, tps: set[TP], generation: int, reader: Reader) -> None:
        """The rebalance has ended: these are ours now."""
        self._generation = generation
        for tp in list(self.partitions.keys() - tps):
            self.lose(self.partitions[tp], "assigned to another worker")
        kept = {tp: one.committed for tp, one in self.partitions.items() if one.is_ready}
        self._failures = {tp: failures for tp, failures in self._failures.items() if tp in tps}
        new = {tp: Partition(tp, linger_seconds=self._linger(tp)) for tp in tps - self.partitions.keys()}
        self.partitions.update(new)
        self._spawn(reader.resume(kept))
        self._spawn(self._take_up_rows([one for tp, one in new.items() if not self._is_input(tp)], reader))
        for tp, one in new.items():
            if self._is_input(tp):
                self._spawn(self._take_up(one, reader))

    def _linger(self, tp: TP) -> float:
        """Rows do not: the hop that writes them gathers them itself."""
        return (
            LINGER_SECONDS.get(self.names.bare(tp.topic), LINGER_SECONDS_ELSE) if self._is_input(tp) else 0.0
        )

    def _is_input(self, tp: TP) -> bool:
        return self.names.bare(tp.topic) in INPUTS

    async def _take_up(self, one: Partition, reader: Reader) -> None:
        """With transactions and state."""
        tp, bare = one.tp, self.names.bare(one.tp.topic)
        one.transactions = Transactions(
            TopicPartition(*tp),
            transactional_id=self.names.transactional_id(bare, tp.partition),
            group=self.names.group,
            options=self._options,
            on_commit=lambda offset: self._committed(one, offset),
            on_lost=lambda error: self.failed(one, error, reader),
        )
        with self._at_risk([one], reader):
            await one.transactions.start()
            one.check()
            offsets = await self._starts({tp})
            for store in STORES:
                if store.topic.name == bare:
                    one.memory[store.name] = await restore(
                        store, self.names, tp.partition, self._options, self._cold, check=one.check
                    )
            one.check()
            await self._read(one, offsets[tp], reader)

    async def _take_up_rows(self, ones: list[Partition], reader: Reader) -> None:
        """Without transactions, all at once."""
        if not ones:
            return
        with self._at_risk(ones, reader):
            offsets = await self._starts({one.tp for one in ones})
            await asyncio.gather(*(self._read_rows(one, offsets[one.tp], reader) for one in ones))

    async def _read_rows(self, one: Partition, offset: int, reader: Reader) -> None:
        with self._at_risk([one], reader):
            await self._read(one, offset, reader)

    @contextmanager
    def _at_risk(self, ones: Sequence[Partition], reader: Reader) -> Iterator[None]:
        """What goes wrong meanwhile costs these."""
        try:
            yield
        except PartitionLostError:
            pass
        except Exception as error:
            for one in ones:
                self.failed(one, error, reader)

    async def _read(self, one: Partition, offset: int, reader: Reader) -> None:
        await self.before_reading(one)
        one.check()
        await reader.resume({one.tp: offset})
        one.start(offset)
        self._failures.pop(one.tp, None)
        self.on_ready()

    async def _starts(self, tps: set[TP]) -> dict[TP, int]:
        """Where each is read on: what the group committed, the beginning if nothing."""
        committed, begins = await self._offsets.committed(tps), await self._offsets.begins(tps)
        starts = {}
        for tp in tps:
            known = committed[tp]
            if 0 <= known < begins[tp]:
                _log.error(
                    "%s-%d: %d records were deleted by the broker before they were read; raise the topic's retention",
                    tp.topic, tp.partition, begins[tp] - known,
                )  # fmt: skip
            starts[tp] = max(known, begins[tp])
        return starts

    def _committed(self, one: Partition, offset: int) -> None:
        one.committed = offset
        self.on_ready()  # what was written may be read by the next hop

    def failed(self, one: Partition, error: BaseException, reader: Reader) -> None:
        """Lose it, and ask for a rebalance."""
        if one.is_lost:
            return
        failures = self._failures[one.tp] = self._failures.get(one.tp, 0) + 1
        self.lose(one, repr(error), level=logging.WARNING)
        seconds = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
        self._spawn(_after(seconds, reader.rejoin))

    def lose(self, one: Partition, why: str, *, level: int = logging.INFO) -> None:
        """Nothing of it has any effect from now on."""
        if one.is_lost:
            return
        _log.log(level, "%s-%d given up: %s", one.tp.topic, one.tp.partition, why)
        one.is_lost, one.is_ready = True, False
        one.rewind()
        if self.partitions.get(one.tp) is one:
            del self.partitions[one.tp]
        if one.transactions is not None:
            self._spawn(one.transactions.close())
        for listener in self.on_lost:
            listener(self.names.bare(one.tp.topic), one.tp.partition)
        self._spawn(one.forget())

    async def delete_unneeded(self) -> None:
        """Of the journals, what their hops need no more. To be called now and then."""
        before = {
            TP(memory.topic, one.tp.partition): offset
            for one in self.partitions.values()
            for memory in one.memory.values()
            if isinstance(memory, KafkaJournal) and (offset := memory.take_deletable()) is not None
        }
        if before:
            await self._offsets.delete(before)

    async def close(self) -> None:
        """Give everything up, after the units under way."""
        await self.revoked()
        for one in list(self.partitions.values()):
            self.lose(one, "the worker stops")
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("%r", task.exception(), exc_info=task.exception())


async def _nothing(_: Partition) -> None:
    pass


async def _after(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    await asyncio.sleep(seconds)
    await work()
