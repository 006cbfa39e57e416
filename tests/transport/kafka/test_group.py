"""The workers' group from outside: who is there, what nobody reads, what waits, and what was deleted unread."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from faust.types import TP
from test_kafka_driver import Group as Numbers
from test_kafka_driver import members

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.group import Group, _waiting_since, look
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.offsets import Offsets
from pipeline.transport.kafka.topics import TopicAdmin
from schemas.topics import TOPICS

FACTS = [TP("facts", 0), TP("facts", 1)]


@pytest.fixture
async def numbers(settings: Settings) -> AsyncIterator[Numbers]:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    numbers = Numbers(settings)
    yield numbers
    await numbers.close()


@pytest.fixture
async def offsets(settings: Settings) -> AsyncIterator[Offsets]:
    offsets = Offsets(Names(settings.broker_prefix).group, client_options(settings))
    await offsets.start()
    yield offsets
    await offsets.stop()


async def test_a_cluster_without_topics_has_nothing_to_say(settings: Settings) -> None:
    assert await look(settings) == Group(0, True, [], {}, {}, 0)


async def test_what_waits_and_who_reads(numbers: Numbers, settings: Settings) -> None:
    everything = sorted(TP(topic.name, partition) for topic in TOPICS for partition in range(2))
    found = await look(settings)
    assert (found.workers, found.is_settled, found.unread, found.deleted) == (0, True, everything, 0)
    assert (set(found.behind.values()), found.seconds) == ({0}, {})
    await numbers.send(300)
    await asyncio.sleep(1)
    found = await look(settings)
    assert {hop: records for hop, records in found.behind.items() if records} == {"counters": 600}
    assert 1 <= found.seconds["counters"] < 30
    async with members(settings, 2):
        await numbers.are_right()
        async with asyncio.timeout(20):
            while (
                (found := await look(settings)).workers < 2
                or not found.is_settled
                or found.behind["counters"]
            ):
                await asyncio.sleep(0.1)
        assert found.unread == [one for one in everything if one not in FACTS], "they have one hop"
        assert found.behind["store"] >= 600, "what they said, which nobody reads"


async def test_the_end_of_a_transaction_does_not_wait(
    numbers: Numbers, settings: Settings, offsets: Offsets
) -> None:
    await numbers.send(10)
    async with members(settings, 1):
        await numbers.are_right()
    said = TP(Names(settings.broker_prefix).topic("counters"), 0)
    ends = await offsets.ends({said})
    options = client_options(settings)
    assert await _waiting_since({said: ends[said] - 1}, ends, options) == {}
    assert set(await _waiting_since({said: 0}, ends, options)) == {said}


async def test_what_was_deleted_before_it_was_read(
    numbers: Numbers, settings: Settings, offsets: Offsets
) -> None:
    await numbers.send(20)
    async with members(settings, 1):
        await numbers.are_right()
    await numbers.send(30)
    name = Names(settings.broker_prefix).topic("facts")
    await offsets.delete({TP(name, 0): 45, TP(name, 1): 20})
    found = await look(settings)
    assert (found.deleted, found.behind["counters"]) == (25, 35)
