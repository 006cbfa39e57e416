"""The embedded pipeline, live: collector, hops, store, metrics and query socket in one process: ``masir run``."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agents.embedded import APP, Embedded
from agents.hop import wall_ms
from agents.upkeep import Upkeep
from agents.webhook import APP as WEBHOOK
from agents.webhook import telling
from pipeline.collector.limits import Limits
from pipeline.collector.server import Collector
from pipeline.settings import Settings
from pipeline.store.client import STORE_DIRECTORY, connect
from pipeline.store.query_socket import QueryServer
from pipeline.transport.publish import LogPublisher
from schemas.topics import SIGNALS, TOPICS

HOUSEKEEPING_SECONDS = 5.0
RETENTION_EVERY = 12  # times of housekeeping


class Live:
    """One data directory, running. ``port``: where the collector listens, once started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.embedded = Embedded(settings)
        self.port = 0
        self._queries = QueryServer(
            self.embedded.directory,
            lambda: connect(self.embedded.directory / STORE_DIRECTORY, read_only=True),
        )
        self._collector: Collector | None = None
        self._beside = AsyncExitStack()

    async def start(self) -> None:
        """Hops first, then the door: hits come when there is somebody to take them."""
        embedded = self.embedded
        await embedded.start()
        if self.settings.webhook_url:
            await self._beside.enter_async_context(
                telling(self.settings, embedded.broker, embedded.metrics, embedded.crashed)
            )
        publisher = LogPublisher(
            self.embedded.transport.log, APP, now_ms=wall_ms, on_append=self.embedded.transport.wake
        )
        self._collector = Collector(
            publisher,
            now_ms=wall_ms,
            limits=Limits(max_backlog=self.settings.max_backlog_hits),
            extra_routes=[web.get("/metrics", self._metrics)],
        )
        host, _, port = self.settings.listen.rpartition(":")
        self.port = await self._collector.start(host, int(port))
        await self._queries.start()

    async def stop(self) -> None:
        """The door first; what was accepted stays in the topic for the next start."""
        if self._collector is not None:
            await self._collector.stop()
        await self._queries.stop()
        await self._beside.aclose()
        await self.embedded.stop()
        self.embedded.close()

    async def keep_house(self) -> None:
        """For ever: report how the pipeline fares, and delete what retention does not keep."""
        log = self.embedded.transport.log
        readers: dict[str, tuple[str, ...]] = {
            topic.name: (APP,) if topic.readers else () for topic in TOPICS
        }
        if self.settings.webhook_url:
            readers[SIGNALS.name] = APP, WEBHOOK
        upkeep = Upkeep(log, self.embedded.client, self.embedded.metrics, self.embedded.directory)
        rounds = 0
        while True:
            upkeep.report_lags()
            if rounds % RETENTION_EVERY == 0:
                upkeep.report_disk()
                await upkeep.report_ledger()
                log.apply_retention(readers, wall_ms())
            rounds += 1
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self.embedded.metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


async def run(
    settings: Settings,
    on_started: Callable[[Live], object],
    *,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> None:
    """Run until a signal comes. Raises what a hop could not go on with."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    live = Live(settings)
    house = None
    try:
        await live.start()
        house = asyncio.create_task(live.keep_house())
        on_started(live)
        await live.embedded.run_until(stop.wait())
    finally:
        if house is not None:
            house.cancel()
            with suppress(asyncio.CancelledError):
                await house
        await live.stop()
