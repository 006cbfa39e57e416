"""Beside the hops of one of several workers: money is told of by the one with the first partition of the rows."""

import asyncio
from typing import Any

import pytest

from agents import beside
from agents.beside import report_money
from agents.upkeep import Money
from pipeline.metrics import Metrics


class Store:
    """Hits came to other workers, so only the store knows the sites."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if "FROM ledger" in sql:
            return [("shop",)]
        return [("shop", "EUR", 120.5), ("small", "EUR", 7.0)] if "lifetime_values" in sql else []


class Ours:
    is_ours = False


async def until_said(metrics: Metrics, said: bool) -> None:
    line = b'masir_customer_lifetime_value{currency="EUR",site="shop"} 120.5'
    async with asyncio.timeout(10):
        while (line in metrics.expose()) is not said:
            await asyncio.sleep(0.01)


async def test_money_is_said_by_one_worker_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MONEY_LOOK_SECONDS", 0.01)
    metrics, place = Metrics(version="1"), Ours()
    money = Money(Store(), metrics, claims=True)  # type: ignore[arg-type]
    task = asyncio.create_task(report_money(place, money))
    await asyncio.sleep(0.1)
    await until_said(metrics, False)
    place.is_ours = True
    await until_said(metrics, True)
    assert b'site="small"' not in metrics.expose()
    place.is_ours = False
    await until_said(metrics, False)
    place.is_ours = True
    await until_said(metrics, True)
    task.cancel()
