"""Units of work of one input partition -> transactions: outputs, memory and consumed offset, all or nothing.

One transaction is under way at a time. Units that are handed in meanwhile share the next one, in their order: a busy
partition commits several batches at once, an idle one each at once. The transactional id is the partition's own, and
:meth:`Transactions.start` shuts out every earlier owner before anything is read.

What fails is final: the transaction is aborted, and every later call raises :class:`PartitionLostError`. Whoever wants
to go on begins anew, from what was committed. A produce request that failed stops the commit: aiokafka itself would
commit without it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.transport.kafka.connection import cut_off
from pipeline.transport.kafka.memory import Memory, Records

MOST_UNITS = 8  # that wait for a transaction: bounds memory, and how far a hop is ahead of what is committed
MAX_REQUEST_BYTES = 16 * 1024**2  # of one record: a unit's rows of one kind; also set on the topics
BATCH_BYTES = 1024**2
TIMEOUT_MS = 60_000  # after which the broker aborts a transaction whose producer says nothing
BACKOFF_MS = 15  # the broker says "try again" while the markers of the transaction before are under way
_ABORT_SECONDS = 5.0
_log = logging.getLogger(__name__)


Sent = dict[tuple[str, int], Records]  # by (topic, partition)


class PartitionLostError(Exception):
    """The partition is not this worker's any more, or must be taken up anew. Nothing of the unit has happened."""


class Staged:
    """What some units of work lead to. Topics by their names in the cluster."""

    def __init__(self) -> None:
        self.sent: Sent = {}
        self.memory: dict[str, Memory] = {}  # by topic
        self.next_offset: int | None = None
        self.units = 0

    def add(self, sent: Sent, memory: Iterable[Memory], next_offset: int | None) -> None:
        """One more unit, after the others."""
        for at, records in sent.items():
            known = self.sent.get(at)
            if known is None:
                self.sent[at] = records
            else:
                known += records
        for one in memory:
            one.stage()
            self.memory[one.topic] = one
        if next_offset is not None:
            self.next_offset = next_offset
        self.units += 1


class Transactions:
    """``source``: the input partition. ``on_commit`` is told the offset, ``on_lost`` the error, once."""

    def __init__(
        self,
        source: TopicPartition,
        *,
        transactional_id: str,
        group: str,
        options: dict[str, Any],
        on_commit: Callable[[int], None],
        on_lost: Callable[[BaseException], None],
    ) -> None:
        self._source = source
        self._group = group
        self._on_commit = on_commit
        self._on_lost = on_lost
        self._producer = AIOKafkaProducer(
            **options,
            transactional_id=transactional_id,
            transaction_timeout_ms=TIMEOUT_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            retry_backoff_ms=BACKOFF_MS,
        )
        self._staged = Staged()
        self._starting: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._handed_in = self._committed = 0  # units
        self._error: BaseException | None = None

    async def start(self) -> None:
        """Shut earlier owners out; what they left unfinished is aborted when this returns. Raises when it is lost."""
        self._check()
        self._starting = _heard(asyncio.create_task(self._start()))
        await asyncio.wait([self._starting])
        self._check()
        self._starting.result()

    async def _start(self) -> None:
        """As aiokafka's producer does it. Closed meanwhile, it shuts nobody out: the next owner may be there."""
        await self._producer.client.bootstrap()
        self._check()
        await self._producer._sender.start()

    async def _break_off_start(self) -> None:
        if self._starting is not None and not self._starting.done():
            has_connected = self._producer.client._sync_task is not None
            if has_connected:  # until then aiokafka would leave a connection open
                self._starting.cancel()
            await asyncio.wait([self._starting])

    async def submit(self, sent: Sent, memory: Iterable[Memory], next_offset: int | None) -> None:
        """Hand in a unit. Returns when it has its place: it is committed a little later, or the partition is lost."""
        while self._error is None and self._staged.units >= MOST_UNITS:
            self._moved.clear()
            await self._moved.wait()
        self._check()
        self._staged.add(sent, memory, next_offset)
        self._handed_in += 1
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())

    @property
    def is_behind(self) -> bool:
        """A unit waits for the transaction of the one before."""
        return self._staged.units > 0

    async def drain(self) -> None:
        """Until everything that was handed in is committed, and nothing comes after. Raises when it is lost.

        Also until it has started: the next owner, who comes after this, is not to be shut out.
        """
        if self._starting is not None:
            await asyncio.wait([self._starting])
        while self._committing is not None:
            await asyncio.wait([self._committing])
        self._check()

    async def catch_up(self) -> None:
        """Until everything that was handed in before this call is committed, whatever comes after. Raises as above."""
        wanted = self._handed_in
        while self._error is None and self._committed < wanted:
            self._moved.clear()
            await self._moved.wait()
        self._check()

    async def close(self) -> None:
        """Let the producer go. What is not committed has not happened."""
        self._fail(PartitionLostError("closed"))
        await self._break_off_start()
        if self._committing is not None:
            self._committing.cancel()
            with suppress(asyncio.CancelledError):
                await self._committing
        try:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(_ABORT_SECONDS):
                    await self._producer.stop()
        finally:
            await cut_off(self._producer)  # stopping leaves things open where it fails or takes too long
            self._hear()

    def _hear(self) -> None:
        """What aiokafka has told of the end to futures that nobody waits for."""
        producer = self._producer
        _heard(producer._txn_manager.wait_for_transaction_end())
        for batches in producer._message_accumulator._batches.values():
            for batch in batches:
                _heard(batch._drain_waiter)

    def _check(self) -> None:
        if self._error is not None:
            raise PartitionLostError(f"{self._source.topic}-{self._source.partition}: {self._error!r}")

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
            self._moved.set()

    async def _commit_all(self) -> None:
        try:
            while self._staged.units:
                staged, self._staged = self._staged, Staged()
                self._moved.set()
                await self._commit(staged)
                self._committed += staged.units
                self._moved.set()
                if staged.next_offset is not None:
                    self._on_commit(staged.next_offset)
        except asyncio.CancelledError:
            self._fail(PartitionLostError("closed"))
            raise
        except Exception as error:
            self._fail(error)
            await self._abort()
            self._on_lost(error)
        finally:
            self._committing = None

    async def _commit(self, staged: Staged) -> None:
        memory = [(one, records) for one in staged.memory.values() if (records := one.take_records())]
        if not (memory or staged.sent or staged.next_offset is not None):
            return
        producer, pending, written = self._producer, [], []
        await producer.begin_transaction()
        _heard(producer._txn_manager.wait_for_transaction_end())
        for (topic, partition), records in staged.sent.items():
            pending += await self._send(topic, partition, records)
        for one, records in memory:
            sent = await self._send(one.topic, self._source.partition, records)
            written.append((one, sent[0]))
            pending += sent
        if staged.next_offset is not None:
            await producer.send_offsets_to_transaction({self._source: staged.next_offset}, self._group)
        await _all_done(pending)
        await producer.commit_transaction()
        for one, first in written:
            one.written(first.result().offset)

    async def _send(self, topic: str, partition: int, records: Records) -> list[asyncio.Future[Any]]:
        """Whole batches of our own making: a record costs a few microseconds less than sent one by one."""
        producer, pending = self._producer, []
        builder = producer.create_batch()
        append = builder.append
        for key, value in records:
            if append(timestamp=None, key=key, value=value) is None:  # full
                pending.append(_heard(await producer.send_batch(builder, topic, partition=partition)))
                builder = producer.create_batch()
                append = builder.append
                append(timestamp=None, key=key, value=value)
        builder.close()
        pending.append(_heard(await producer.send_batch(builder, topic, partition=partition)))
        return pending

    async def _abort(self) -> None:
        """So that readers need not wait for the timeout. The next owner's start does it too."""
        with suppress(Exception):
            async with asyncio.timeout(_ABORT_SECONDS):
                await self._producer.abort_transaction()


def _heard(result: Any) -> Any:
    """A future whose error somebody else is told too: asyncio need not complain that nobody asked for it."""
    if result is not None:
        result.add_done_callback(lambda done: done.cancelled() or done.exception())
    return result


async def _all_done(pending: Sequence[asyncio.Future[Any]]) -> None:
    """Each is looked at, then the first that failed is raised: aiokafka's commit does not look."""
    for result in await asyncio.gather(*pending, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
