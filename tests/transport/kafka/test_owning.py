"""Partitions without transactions are taken up: all at the same time, and each for itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupLoadInProgressError, KafkaError
from faust.types import TP

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.offsets import Offsets, committed_by
from pipeline.transport.kafka.owning import Owning
from pipeline.transport.kafka.partition import Partition
from pipeline.transport.kafka.topics import TopicAdmin


class Reader:
    """In place of the consumer, which is in a group."""

    def __init__(self) -> None:
        self.read: dict[TP, int] = {}
        self.rejoined = 0

    async def resume(self, offsets: dict[TP, int]) -> None:
        self.read |= offsets

    async def rejoin(self) -> None:
        self.rejoined += 1


@pytest.fixture
async def owning(settings: Settings) -> AsyncIterator[Owning]:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    names, options = Names(settings.broker_prefix), client_options(settings)
    offsets = Offsets(names.group, options)
    await offsets.start()
    try:
        await _group_is_led(offsets, {TP(names.topic("counters"), 0)})
        owning = Owning(names, options, offsets)
        yield owning
        await owning.close()
    finally:
        await offsets.stop()


async def _group_is_led(offsets: Offsets, tps: set[TP]) -> None:
    """Who has joined a group knows; a broker that is new takes a moment."""
    async with asyncio.timeout(30):
        while True:
            try:
                await offsets.committed(tps)
                return
            except KafkaError:
                await asyncio.sleep(0.1)


@pytest.fixture
def rows(settings: Settings) -> list[TP]:
    """Two partitions of a topic that only the store reads."""
    return [TP(Names(settings.broker_prefix).topic("counters"), number) for number in range(2)]


async def test_one_does_not_wait_until_another_can_be_read(owning: Owning, rows: list[TP]) -> None:
    """Each waits for an answer of the broker: forty after one another took twenty seconds."""
    reader, both = Reader(), asyncio.Barrier(len(rows))

    async def wait_for_all(_: Partition) -> None:
        await both.wait()

    owning.before_reading = wait_for_all
    async with asyncio.timeout(10):
        await owning.assigned(set(rows), 1, reader)
        while len(reader.read) < len(rows):
            await asyncio.sleep(0.01)
    assert all(one.is_ready for one in owning.partitions.values())


async def test_offsets_that_are_not_known_yet_are_not_taken_for_none() -> None:
    """A broker that has just come says so of the whole answer, at which aiokafka does not look."""

    class Admin:
        async def list_consumer_group_offsets(self, *_: object, **__: object) -> dict[TopicPartition, object]:
            return {}

    with pytest.raises(GroupLoadInProgressError, match="workers"):
        await committed_by(Admin(), "workers", [TopicPartition("hits", 0)])


@pytest.mark.parametrize("error", [None, OSError("for the test")])
async def test_one_that_is_lost_meanwhile_costs_no_other(
    owning: Owning, rows: list[TP], error: OSError | None
) -> None:
    reader, lost = Reader(), rows[0]

    async def lose(one: Partition) -> None:
        if one.tp == lost and not reader.rejoined:
            if error is not None:
                raise error
            owning.lose(one, "for the test")

    owning.before_reading = lose
    async with asyncio.timeout(10):
        await owning.assigned(set(rows), 1, reader)
        while not reader.read or bool(reader.rejoined) != bool(error):
            await asyncio.sleep(0.01)
    assert set(reader.read) == set(owning.partitions) == {rows[1]}


async def test_what_was_given_up_waits_until_it_is_read_or_another_workers(
    owning: Owning, rows: list[TP]
) -> None:
    """Else /readyz would say that all is well while nothing is taken up."""
    reader = Reader()

    async def refused(_: Partition) -> None:
        raise KafkaError("for the test")

    owning.before_reading = refused
    await owning.assigned(set(rows), 1, reader)  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        while owning.partitions:
            await asyncio.sleep(0.01)
    assert owning.waiting == set(rows)

    async def allowed(_: Partition) -> None:
        pass

    owning.before_reading = allowed
    await owning.assigned({rows[0]}, 2, reader)  # type: ignore[arg-type]
    assert owning.waiting == {rows[0]}
    async with asyncio.timeout(10):
        while owning.waiting:
            await asyncio.sleep(0.01)
