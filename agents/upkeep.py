"""What is done beside the hops again and again: how far they are behind, whether the ledger adds up, what the store's
views say of money; and retention.
"""

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agents.embedded import APP
from agents.hop import wall_ms
from pipeline.metrics import MAX_SITES, OTHER, Metrics
from pipeline.store.belonging import hits_in_ledger
from pipeline.store.client import Client
from pipeline.store.errors import QueryError, StoreError, StoreUnavailableError
from pipeline.transport.log import Log
from schemas.topics import HITS, TOPICS

_WITHIN = "SETTINGS max_threads = 1, max_execution_time = 10"  # nobody waits for the answer, and the hops want to work
_SITES = f"SELECT site FROM ledger WHERE site != '' GROUP BY site ORDER BY sum(hits) DESC LIMIT {MAX_SITES} {_WITHIN}"
_LIFETIME_VALUE = (
    f"SELECT site, currency, lifetime_value FROM lifetime_values WHERE isNotNull(lifetime_value) {_WITHIN}"
)
_COST = (
    "SELECT site, channel, currency, cost_per_acquisition FROM acquisition_costs"
    f" WHERE model = 'last_non_direct' AND isNotNull(cost_per_acquisition) {_WITHIN}"
)
HOUSEKEEPING_SECONDS = 5.0
RETENTION_EVERY = 12  # rounds
MONEY_SECONDS = 60.0
_REST = 80  # times as long as the questions took: about 1 % of a core
_logger = logging.getLogger(__name__)


class Upkeep:
    """Reports to ``metrics``; decides nothing. ``client``: of those who write. ``beside``: for questions, which would
    hold up the writing there.
    """

    def __init__(self, log: Log, client: Client, beside: Client, metrics: Metrics) -> None:
        self._log = log
        self._client = client
        self._metrics = metrics
        self._ledger = LedgerCheck(beside, metrics, self._taken)
        self._money = Money(beside, metrics)

    async def keep_house(
        self, readers: Mapping[str, Sequence[str]], crashed: Callable[[Exception], None]
    ) -> None:
        """For ever: report how the pipeline fares, and delete what retention does not keep.

        What is away, busy or full has another round. ``readers``: topic -> consumers that must have passed a record.
        """
        rounds = 0
        while True:
            try:
                self.report_lags()
                if rounds % RETENTION_EVERY == 0:
                    await self.report_ledger()
                    self._log.apply_retention(readers, wall_ms())
                await self.report_money(wall_ms() / 1000)
                await asyncio.to_thread(self._client.look_after_disk)
            except (StoreError, sqlite3.Error):
                _logger.exception("housekeeping could not be done, trying again")
            except Exception as error:
                crashed(error)
            rounds += 1
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    def report_lags(self) -> None:
        """Records that each hop has not read yet, of all the topics that it reads."""
        committed = self._log.committed(APP)
        readers = {topic.name: topic.readers for topic in TOPICS}
        lags: Counter[tuple[str, int]] = Counter()
        for (topic, partition), end in self._log.ends().items():
            for reader in readers[topic]:
                lags[reader, partition] += end - committed.get((topic, partition), 0)
        for (reader, partition), lag in lags.items():
            self._metrics.consumer_lag(reader, partition, lag)

    async def report_ledger(self) -> None:
        """See :class:`LedgerCheck`."""
        await self._ledger.report()

    async def _taken(self) -> int:
        committed = self._log.committed(APP)
        return sum(offset for (topic, _), offset in committed.items() if topic == HITS.name)

    async def report_money(self, now_seconds: float) -> None:
        """See :class:`Money`."""
        await self._money.report(now_seconds)


class LedgerCheck:
    """Has every hit that was taken an outcome? ``taken``: how many have been consumed by now.

    The ledger, in the store, must hold at least the hits that had been consumed a round before (rows are under way for
    less than that) and at most those that have been consumed by now. A round is what lies between two reports.
    """

    def __init__(self, client: Client, metrics: Metrics, taken: Callable[[], Awaitable[int]]) -> None:
        self._client = client
        self._metrics = metrics
        self._taken = taken
        self._taken_before = 0

    async def report(self) -> None:
        """How many hits too few or too many have an outcome. A store that is away says nothing."""
        try:
            said = await asyncio.to_thread(hits_in_ledger, self._client)
        except StoreUnavailableError:
            return
        taken = await self._taken()
        self._metrics.ledger_difference(max(self._taken_before - said, 0) - max(said - taken, 0))
        self._taken_before = taken

    def withdraw(self) -> None:
        """Another worker says it now."""
        self._taken_before = 0
        self._metrics.ledger_difference(None)


class Money:
    """What a customer is worth and costs, as the store's views say.

    ``claims``: hits come to other workers, so the largest sites of the store are those that have names.
    """

    def __init__(self, client: Client, metrics: Metrics, *, claims: bool = False) -> None:
        self._claims = claims
        self._client = client
        self._metrics = metrics
        self._next = 0.0
        self._gauges = (
            (_LIFETIME_VALUE, metrics.customer_lifetime_value),
            (_COST, metrics.cost_per_acquisition),
        )

    async def report(self, now_seconds: float) -> None:
        """At most once a minute. What a store that is away or busy does not answer has no figure, and no old one."""
        if now_seconds < self._next:
            return
        started = time.perf_counter()
        for (site,) in await self._answer(_SITES) if self._claims else ():
            self._metrics.sites.claim(site)
        for query, gauge in self._gauges:
            rows = await self._answer(query)
            gauge.clear()
            for site, *labels, value in rows:
                if self._metrics.sites.label(site) != OTHER:  # the mean of several would say nothing
                    gauge.labels(site, *labels).set(value)
        taken = time.perf_counter() - started
        self._next = now_seconds + max(MONEY_SECONDS, _REST * taken)

    async def _answer(self, query: str) -> list[tuple[Any, ...]]:
        with suppress(StoreUnavailableError, QueryError):
            return await asyncio.to_thread(self._client.query, query)
        return []

    def withdraw(self) -> None:
        """Another worker says it now."""
        self._next = 0.0
        for _, gauge in self._gauges:
            gauge.clear()
