"""Beside the hops of one of several workers: money and the ledger are told of by the one with the first partition of
the rows.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from agents import beside
from agents.beside import report_figures
from agents.upkeep import LedgerCheck, Money
from pipeline.metrics import Metrics

MONEY = b'masir_customer_lifetime_value{currency="EUR",site="shop"} 120.5'
DIFFERENCE = b"masir_ledger_difference_hits -3.0"

BROKEN = -1  # hits


class Store:
    """Hits came to other workers, so only the store knows the sites; its ledger has 13 hits."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if "sum(hits)) FROM ledger" in sql:
            return [(13,)]
        if "FROM ledger" in sql:
            return [("shop",)]
        return [("shop", "EUR", 120.5), ("small", "EUR", 7.0)] if "lifetime_values" in sql else []


class World:
    """A worker, and whether it is the one. ``taken``: hits that have been consumed; None: the broker is away."""

    def __init__(self) -> None:
        self.is_ours = False
        self.taken: int | None = 10
        self.told: list[Exception] = []
        self.metrics = Metrics(version="1")
        store: Any = Store()
        self.money = Money(store, self.metrics, claims=True)
        self.ledger = LedgerCheck(store, self.metrics, self._taken)

    async def _taken(self) -> int:
        if self.taken == BROKEN:
            raise ValueError("not foreseen")
        if self.taken is None:
            raise KafkaConnectionError("away")
        return self.taken

    async def until_said(self, line: bytes, said: bool) -> None:
        async with asyncio.timeout(10):
            while (line in self.metrics.expose()) is not said:
                await asyncio.sleep(0.01)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def reporting(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(beside, "LOOK_SECONDS", 0.01)
    task = asyncio.create_task(report_figures(world, world.money, world.ledger, world.told.append))
    yield world
    task.cancel()


async def test_both_are_said_by_one_worker_at_a_time(reporting: World) -> None:
    await asyncio.sleep(0.1)
    said = reporting.metrics.expose()
    assert MONEY not in said
    assert DIFFERENCE not in said
    for is_ours in (True, False, True):
        reporting.is_ours = is_ours
        await reporting.until_said(MONEY, is_ours)
        await reporting.until_said(DIFFERENCE, is_ours)
    assert b'site="small"' not in reporting.metrics.expose()


async def test_a_broker_that_is_away_says_nothing_of_the_ledger_and_stops_nothing(reporting: World) -> None:
    reporting.taken, reporting.is_ours = None, True
    await reporting.until_said(MONEY, True)
    assert DIFFERENCE not in reporting.metrics.expose()
    reporting.taken = 10
    await reporting.until_said(DIFFERENCE, True)


async def test_what_was_not_foreseen_ends_the_worker(reporting: World) -> None:
    """And not the reports alone, without a word."""
    reporting.taken, reporting.is_ours = BROKEN, True
    async with asyncio.timeout(10):
        while not reporting.told:
            await asyncio.sleep(0.01)
    assert isinstance(reporting.told[0], ValueError)


async def test_what_was_known_when_it_was_ours_before_is_not_held_against_the_ledger(world: World) -> None:
    """Rows are under way: only what was seen to be consumed a round before must be there."""
    world.taken = 20
    found = []
    for _ in range(2):
        for _ in range(2):
            await world.ledger.report()
            found.append(world.metrics.upkeep.values["masir_ledger_difference_hits"])
        world.ledger.withdraw()
    assert found == [0, 7, 0, 7]
