"""Salts that collectors share: the same for all, others every day, gone when they are over."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import TopicPartition

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.names import SALTS, Names
from pipeline.transport.kafka.restore import read_all
from pipeline.transport.kafka.salts import SharedSalts
from pipeline.transport.kafka.topics import TopicAdmin

EVENING = 1_798_754_400_000  # 2026-12-31 22:00 UTC
HOUR_MS = 3_600_000
Open = Callable[[], Awaitable[SharedSalts]]


class Clock:
    now_ms = EVENING

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def opened(settings: Settings, clock: Clock) -> AsyncIterator[Open]:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    every: list[SharedSalts] = []

    async def one() -> SharedSalts:
        salts = SharedSalts(Names(settings.broker_prefix), client_options(settings), now_ms=clock)
        every.append(salts)
        await salts.start()
        return salts

    yield one
    for salts in every:
        await salts.stop()


async def test_all_collectors_have_the_same_over_midnight(
    opened: Open, clock: Clock, settings: Settings
) -> None:
    one, other = await opened(), await opened()
    evening = one.at(EVENING)
    assert other.at(EVENING) == evening
    clock.now_ms = EVENING + 3 * HOUR_MS // 2  # the new year's are made ahead
    await one.provide()
    await other.catch_up()
    assert one.at(clock.now_ms) == evening
    night = EVENING + 2 * HOUR_MS
    new_year = one.at(night)
    assert other.at(night) == new_year
    assert len({*evening, *new_year}) == 4, "day and month are others"
    clock.now_ms = night
    await other.provide()
    source = TopicPartition(Names(settings.broker_prefix).topic(SALTS), 0)
    newest = {record.key: record.value for record in await read_all(source, client_options(settings))}
    assert {name for name, value in newest.items() if value is None} == {b"day 2026-12-31", b"month 2026-12"}
    late = await opened()
    assert late.at(night) == new_year
    assert not {*evening} & {*late.at(EVENING)}, "who was who last year cannot be told any more"


async def test_a_salt_of_its_own_where_the_broker_was_away(opened: Open) -> None:
    salts = await opened()
    tomorrow = EVENING + 24 * HOUR_MS
    assert salts.at(tomorrow) == salts.at(tomorrow + HOUR_MS)
    assert salts.at(tomorrow) != salts.at(EVENING + 48 * HOUR_MS)
