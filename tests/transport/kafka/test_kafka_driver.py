"""Batches from a real broker through Faust to a hop that counts: exactly once, whoever comes, goes, or comes back."""

import asyncio
import gc
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition

from agents.app import attach, create_app
from agents.owned import OwnedHop
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.transport.batch import Batch
from pipeline.transport.kafka import owning
from pipeline.transport.kafka.connection import client_options, faust_urls
from pipeline.transport.kafka.driver import Cluster, Transport
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import KafkaPublisher
from pipeline.transport.kafka.restore import read_all
from pipeline.transport.kafka.topics import TopicAdmin, usable_partitions
from tests.transport.kafka.usurper import usurped

TOTAL = "total"
RECEIVED = (1_790_812_800_000).to_bytes(8)


class Adder:
    """Adds up the numbers of its partition, and sends each sum. Stands for a hop with state by key."""

    def __init__(self, transport: Transport, seen: list[Batch]) -> None:
        self._transport = transport
        self._seen = seen

    async def handle(self, batch: Batch) -> None:
        self._seen.append(batch)
        if batch.is_tick:
            return
        state, unit = self._transport.state("counters", batch.partition), self._transport.unit()
        total = int(state.get(TOTAL) or b"0")
        for value in batch.values:
            total += int(value)
            unit.send("counters", batch.partition, [b"%d" % total])
        state[TOTAL] = b"%d" % total
        await unit.commit([batch], [state], now_ms=0)


class Member:
    """One worker of the group, in this process."""

    def __init__(self, settings: Settings) -> None:
        self.seen: list[Batch] = []
        self._settings = settings
        self._names = Names(settings.broker_prefix)

    async def start(self) -> "Member":
        settings = self._settings
        self.app = create_app(
            f"{settings.broker_prefix}-{uuid.uuid4().hex}",
            faust_urls(settings),
            stream_buffer_maxsize=4_096,
            broker_session_timeout=settings.worker_lost_seconds,
            broker_heartbeat_interval=0.5,
        )
        self.transport: Transport = self.app.transport
        self.transport.join(Cluster(self._names, client_options(settings), await usable_partitions(settings)))
        hop = OwnedHop(
            "counters",
            lambda: Adder(self.transport, self.seen),
            ("facts",),
            Metrics(version="0"),
            per_partition=True,
        )
        self.transport.owning.on_lost.append(hop.forget)
        attach(self.app, "counters", hop, [self._names.topic("facts")], pytest.fail)
        self.app.finalize()
        await self.app.start()
        return self

    async def stop(self) -> None:
        self.app.consumer.stop_flow()
        await self.transport.owning.close()
        await self.app.stop()

    @property
    def has(self) -> set[int]:
        """Partitions that are read."""
        return {one.tp.partition for one in self.transport.owning.partitions.values() if one.is_ready}


class Group:
    """A topic of numbers, and who works on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: dict[int, list[int]] = {0: [], 1: []}
        self._names = Names(settings.broker_prefix)
        self._publisher = KafkaPublisher(
            self._names, 2, client_options(settings), now_ms=lambda: time.time_ns() // 1_000_000
        )
        self._publisher._topic = self._names.topic("facts")

    async def send(self, count: int) -> None:
        """So many numbers to each partition."""
        producer = self._publisher._producer or await self._publisher._new_producer()
        for partition, sent in self.sent.items():
            numbers = list(range(len(sent), len(sent) + count))
            pending = await self._publisher._send(
                producer, partition, [(RECEIVED, b"%d" % n) for n in numbers]
            )
            await asyncio.gather(*pending)
            sent += numbers

    async def received(self, partition: int) -> set[bytes]:
        source = TopicPartition(self._names.topic("counters"), partition)
        return {record.key for record in await read_all(source, client_options(self.settings))}

    async def sums(self, partition: int) -> list[int]:
        source = TopicPartition(self._names.topic("counters"), partition)
        return [int(record.value) for record in await read_all(source, client_options(self.settings))]

    async def are_right(self, *, seconds: float = 40) -> None:
        """Every sum of every number is there, once, in order."""
        expected = {p: [sum(sent[: n + 1]) for n in range(len(sent))] for p, sent in self.sent.items()}
        deadline = time.monotonic() + seconds
        while True:
            found = {partition: await self.sums(partition) for partition in self.sent}
            if found == expected or time.monotonic() > deadline:
                assert found == expected
                return
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self._publisher.stop()


async def until(condition: Callable[[], object], *, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def group(settings: Settings) -> AsyncIterator[Group]:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    group = Group(settings)
    yield group
    await group.close()


@asynccontextmanager
async def members(settings: Settings, count: int) -> AsyncIterator[Sequence[Member]]:
    running = [await Member(settings).start() for _ in range(count)]
    try:
        yield running
    finally:
        for member in running:
            await member.stop()


async def test_everything_once_in_batches_then_ticks(group: Group, settings: Settings) -> None:
    await group.send(3_000)
    async with members(settings, 1) as (one,):
        await group.are_right()
        full = [batch for batch in one.seen if not batch.is_tick]
        assert len(full) <= 8, "fetches, not records"
        assert all(not batch.is_caught_up for batch in full)
        assert {when for batch in full for when in batch.timestamps} == {1_790_812_800_000}
        assert await group.received(0) == {RECEIVED}, "what follows keeps the time of what it comes from"
        before = len(one.seen)
        await until(lambda: len(one.seen) >= before + 4)
        assert all(batch.is_tick and batch.is_caught_up for batch in one.seen[before:])


async def test_no_tick_while_there_is_something_to_read(group: Group, settings: Settings) -> None:
    """Time passes by ticks: with records unread it would pass too early, and sessions close that go on."""
    async with members(settings, 1) as (one,):
        await until(lambda: len([batch for batch in one.seen if batch.is_tick]) >= 2)
        (tp,) = (tp for tp in one.transport.owning.partitions if tp.partition == 0)
        await one.app.consumer._thread.pause({tp})
        await group.send(5)
        await asyncio.sleep(1)  # what was on its way arrives
        one.seen.clear()
        await asyncio.sleep(2)
        assert {batch.partition for batch in one.seen} == {1}
        await one.app.consumer._thread.resume({tp: one.transport.owning.partitions[tp].position})
        await group.are_right()


async def test_a_later_worker_goes_on_from_state_and_offset(group: Group, settings: Settings) -> None:
    for _ in range(2):
        await group.send(200)
        async with members(settings, 1):
            await group.are_right()


async def test_workers_come_and_go_while_there_is_work(group: Group, settings: Settings) -> None:
    async with members(settings, 1) as (first,):
        await group.send(100)
        await until(lambda: first.has == {0, 1})
        async with members(settings, 1) as (second,):
            sending = asyncio.create_task(_send_for_a_while(group))
            await until(lambda: len(first.has) == len(second.has) == 1)
            await sending
            assert first.has | second.has == {0, 1}
            await group.are_right()
        await group.send(100)
        await group.are_right()
        await until(lambda: first.has == {0, 1})


async def _send_for_a_while(group: Group) -> None:
    for _ in range(30):
        await group.send(20)
        await asyncio.sleep(0.1)


async def test_a_partition_that_stays_keeps_its_state_in_memory(group: Group, settings: Settings) -> None:
    async with members(settings, 1) as (first,):
        await group.send(10)
        await group.are_right()
        before = {one.tp.partition: one for one in first.transport.owning.partitions.values()}
        async with members(settings, 1) as (second,):
            await until(lambda: len(first.has) == len(second.has) == 1)
            after = {one.tp.partition: one for one in first.transport.owning.partitions.values()}
            (kept,) = after
            assert after[kept] is before[kept]
            assert before[1 - kept].is_lost
            await group.send(10)
            await group.are_right()


async def test_one_that_is_shut_out_gives_up_and_takes_up_anew(group: Group, settings: Settings) -> None:
    """As after a pause in which another had the partition: here its transactional id alone is taken."""
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told.get("exception")))
    async with members(settings, 1) as (one,):
        await group.send(10)
        await group.are_right()
        before = dict(one.transport.owning.partitions)
        usurper = await usurped(settings)
        await group.send(10)
        await group.are_right()
        assert all(partition.is_lost for tp, partition in before.items() if tp.partition == 0)
        await usurper.close()
    del before, one, usurper
    gc.collect()
    await asyncio.sleep(0.1)
    assert not [error for error in unheard if error], "asyncio complains of nothing, here or in a later test"


async def test_batches_of_a_partition_that_was_lost_have_no_effect(group: Group, settings: Settings) -> None:
    async with members(settings, 1) as (one,):
        await group.send(5)
        await group.are_right()
        batch = next(batch for batch in one.seen if not batch.is_tick)
        owner = batch.owner  # type: ignore[attr-defined]
        one.transport.owning.lose(owner, "for the test")
        unit = one.transport.unit()
        unit.send("counters", batch.partition, [b"666"])
        with pytest.raises(owning.PartitionLostError):
            await unit.commit([batch], [], now_ms=0)
        with pytest.raises(owning.PartitionLostError):
            one.transport.state("counters", batch.partition)
    await group.are_right()
