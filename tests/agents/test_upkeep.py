"""What is reported of the pipeline from outside: lags by hop, the ledger's difference, money."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.embedded import APP
from agents.upkeep import Upkeep
from pipeline.metrics import Metrics
from pipeline.store.errors import QueryError, StoreUnavailableError
from pipeline.transport.log import Log
from schemas.outcome import Outcome


class Ledger:
    """Answers as the store does. ``said``: hits in the ledger; None: it is away."""

    def __init__(self) -> None:
        self.said: int | None = 0
        self.looks = 0

    def query(self, _sql: str) -> list[tuple[Any, ...]]:
        if self.said is None:
            raise StoreUnavailableError("away")
        return [(self.said,)]

    def look_after_disk(self) -> None:
        self.looks += 1


class World:
    """A log with three topics, and what is reported of it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.ledger = Ledger()
        self.metrics = Metrics(version="1")
        self.upkeep = Upkeep(log, self.ledger, self.ledger, self.metrics)  # type: ignore[arg-type]

    def append(self, topic: str, partition: int, count: int) -> None:
        with self.log.transaction():
            self.log.append(topic, partition, [b"x"] * count, now_ms=1)

    def consume(self, topic: str, partition: int, upto: int) -> None:
        with self.log.transaction():
            self.log.commit_offset(APP, topic, partition, upto)

    def value(self, name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(self.metrics.expose().decode())
        found = [
            s.value for family in families for s in family.samples if (s.name, s.labels) == (name, labels)
        ]
        return found[0] if found else None

    @property
    def difference(self) -> float | None:
        return self.value("masir_ledger_difference_hits")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(Log(tmp_path / "masir.db")) as log:
        for topic in ("hits", "hit_rows", "sessions"):
            log.create_topic(topic, partitions=2, retention_ms=1_000)
        yield World(log)


def test_the_lag_of_a_hop_is_that_of_all_its_topics(world: World) -> None:
    world.append("hits", 0, 10)
    world.consume("hits", 0, 4)
    world.append("hit_rows", 1, 5)
    world.append("sessions", 1, 7)
    world.consume("sessions", 1, 7)
    world.upkeep.report_lags()
    assert world.value("masir_consumer_lag_hits", hop="sessionizer", partition="0") == 6
    assert world.value("masir_consumer_lag_hits", hop="store", partition="1") == 5


async def test_rows_under_way_are_no_difference(world: World) -> None:
    world.append("hits", 0, 10)
    world.consume("hits", 0, 10)
    world.ledger.said = 7
    await world.upkeep.report_ledger()
    assert world.difference == 0, "none had been consumed a round before"
    world.ledger.said = 10
    await world.upkeep.report_ledger()
    assert world.difference == 0


async def test_what_is_still_missing_a_round_later_is_a_difference(world: World) -> None:
    world.append("hits", 0, 10)
    world.append("hits", 1, 10)
    world.consume("hits", 0, 10)
    world.consume("hits", 1, 5)
    world.ledger.said = 14
    await world.upkeep.report_ledger()
    await world.upkeep.report_ledger()
    assert world.difference == 1


async def test_more_outcomes_than_hits_are_a_negative_difference(world: World) -> None:
    world.append("hits", 0, 10)
    world.consume("hits", 0, 10)
    world.ledger.said = 12
    await world.upkeep.report_ledger()
    assert world.difference == -2


async def test_a_store_that_is_away_says_nothing(world: World) -> None:
    world.ledger.said = None
    await world.upkeep.report_ledger()
    assert world.difference is None


class Money:
    """A store that answers what customers are worth and cost, and counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.rows: list[tuple[Any, ...]] = [("shop", "EUR", 120.5), ("unknown", "EUR", 7.0)]
        self.cost = 4.25
        self.is_slow = False  # of what a customer is worth

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        self.asked += 1
        if "lifetime_values" not in sql:
            return [("shop", "email", "EUR", self.cost)]
        if self.is_slow:
            raise QueryError("TIMEOUT_EXCEEDED")
        return self.rows


async def test_money_is_asked_once_a_minute_and_shown_for_named_sites_alone(world: World) -> None:
    money = Money()
    upkeep = Upkeep(world.log, world.ledger, money, world.metrics)  # type: ignore[arg-type]
    world.metrics.hits({("shop", Outcome.SESSIONIZED): 1})
    await upkeep.report_money(100.0)
    assert world.value("masir_customer_lifetime_value", site="shop", currency="EUR") == 120.5
    assert world.value("masir_cost_per_acquisition", site="shop", channel="email", currency="EUR") == 4.25
    assert world.value("masir_customer_lifetime_value", site="unknown", currency="EUR") is None
    await upkeep.report_money(159.9)
    assert money.asked == 2
    money.rows = []
    await upkeep.report_money(160.0)
    assert money.asked == 4
    assert world.value("masir_customer_lifetime_value", site="shop", currency="EUR") is None


async def test_a_question_that_takes_too_long_leaves_no_old_figure_and_stops_no_other(world: World) -> None:
    money = Money()
    upkeep = Upkeep(world.log, world.ledger, money, world.metrics)  # type: ignore[arg-type]
    world.metrics.hits({("shop", Outcome.SESSIONIZED): 1})
    await upkeep.report_money(100.0)
    money.is_slow = True
    money.cost = 5.0
    await upkeep.report_money(1_000.0)
    assert world.value("masir_customer_lifetime_value", site="shop", currency="EUR") is None
    assert world.value("masir_cost_per_acquisition", site="shop", channel="email", currency="EUR") == 5.0


async def test_a_store_that_is_away_says_nothing_of_money(world: World) -> None:
    world.ledger.said = None
    await world.upkeep.report_money(100.0)
    assert world.value("masir_customer_lifetime_value", site="shop", currency="EUR") is None


async def test_a_round_that_fails_is_followed_by_others_and_a_fault_of_ours_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process has the file for long; retention is done as soon as it lets go."""
    monkeypatch.setattr("agents.upkeep.HOUSEKEEPING_SECONDS", 0.01)
    monkeypatch.setattr("agents.upkeep.RETENTION_EVERY", 1)
    world.append("hits", 0, 3)
    world.consume("hits", 0, 3)
    told: list[Exception] = []
    world.ledger.said = None
    with closing(Log(world.log.path, busy_seconds=0.01)) as impatient:
        upkeep = Upkeep(impatient, world.ledger, world.ledger, world.metrics)  # type: ignore[arg-type]
        with world.log.transaction(), caplog.at_level(logging.ERROR):
            house = asyncio.create_task(upkeep.keep_house({"hits": (APP,)}, told.append))
            await _until(lambda: "housekeeping could not be done" in caplog.text)
        await _until(lambda: world.log.begin("hits", 0) == 3)
        assert told == []
        await _until(lambda: world.ledger.looks > 0)
        monkeypatch.setattr(upkeep, "report_lags", lambda: {}["lag"])
        await _until(lambda: bool(told))
        house.cancel()
        with suppress(asyncio.CancelledError):
            await house
    assert isinstance(told[0], KeyError)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)
