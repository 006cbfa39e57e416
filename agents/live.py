"""The embedded pipeline, live: collector, hops, store, metrics, page and query socket in one process: ``masir run``."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from importlib.metadata import version

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agents.asked import watch
from agents.collectors import Collectors
from agents.embedded import APP, Embedded
from agents.erasing import Eraser
from agents.hop import wall_ms
from agents.hops import put_sites
from agents.rebuilding import Rebuilder
from agents.starting import cancelled, run_role
from agents.upkeep import Upkeep
from agents.webhook import APP as WEBHOOK
from agents.webhook import telling
from pipeline.collector.door import Door
from pipeline.collector.tally import Tally, TallyMetrics
from pipeline.disk_metrics import Disk
from pipeline.live.server import LivePage
from pipeline.settings import Settings
from pipeline.store.place import open_beside
from pipeline.store.query_socket import QueryServer
from pipeline.transport.publish import LogPublisher
from pipeline.transport.traced_log import TracedLog
from schemas.topics import SIGNALS, TOPICS


class Live:
    """One data directory, running. ``port``: where the collector listens, once started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.embedded = Embedded(settings)
        self.port = 0
        self._queries = QueryServer(self.embedded.directory, lambda: open_beside(self.settings))
        self._door: Door | None = None
        self._others: Collectors | None = None
        self._stack = AsyncExitStack()
        self._stack.callback(self.embedded.close)

    async def start(self) -> None:
        """Hops first, then the door: hits come when there is somebody to take them."""
        embedded, settings = self.embedded, self.settings
        self._stack.push_async_callback(embedded.stop)
        await embedded.start()
        if settings.webhook_url:
            await self._stack.enter_async_context(
                telling(settings, embedded.broker, embedded.metrics, embedded.crashed)
            )
        log = embedded.transport.log
        if embedded.traces is not None:
            log = self._stack.enter_context(closing(TracedLog(embedded.database, embedded.traces)))
        publisher = LogPublisher(log, APP, now_ms=wall_ms, on_append=embedded.transport.wake)
        page = LivePage(
            settings,
            embedded.metrics,
            embedded.models.models,
            listen=settings.metrics_listen or settings.listen,
            version=version("masir"),
            open_reader=lambda: open_beside(settings),
            away=embedded.away,
            now_ms=wall_ms,
        )
        shows = [web.get("/metrics", self._metrics), *page.routes()]
        self._door = Door(
            settings,
            publisher,
            now_ms=wall_ms,
            ready=lambda: list(self.embedded.away.values()),
            extra_routes=[] if settings.metrics_listen else shows,
            on_sites=lambda registry: put_sites(embedded.sites, registry, settings),
        )
        self.embedded.metrics.register(TallyMetrics(self.tally))
        self.embedded.metrics.register(Disk(self.embedded.directory))
        if settings.metrics_listen:
            await self._show(shows)
        self._stack.push_async_callback(self._door.stop)
        self._stack.push_async_callback(page.close)  # before what would wait for those who look
        host, _, port = settings.listen.rpartition(":")
        self.port = await self._door.start(host, int(port), shared=settings.collectors > 1)
        if settings.collectors > 1:
            self._others = Collectors(settings, f"{host}:{self.port}", settings.collectors - 1)
            self._stack.push_async_callback(self._others.stop)
            self._others.start()
        self._stack.push_async_callback(self._queries.stop)
        await self._queries.start()
        asked = watch([Rebuilder(embedded, page.tell), Eraser(embedded)], embedded.crashed)
        self._stack.push_async_callback(cancelled, asyncio.create_task(asked))
        self._stack.push_async_callback(cancelled, asyncio.create_task(self._keep_house()))

    async def run_until(self, done: asyncio.Event) -> None:
        """Wait; raises what a hop could not go on with, if that comes first."""
        await self.embedded.run_until(done.wait())

    async def stop(self) -> None:
        """The door before the hops; what was accepted stays in the topic for the next start."""
        await self._stack.aclose()

    def tally(self) -> Tally:
        """What all collectors have counted."""
        mine = self._door.tally() if self._door else Tally()
        return mine.plus(self._others.tally()) if self._others else mine

    async def _show(self, routes: Sequence[web.AbstractRouteDef]) -> None:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None)
        self._stack.push_async_callback(runner.cleanup)
        await runner.setup()
        host, _, port = self.settings.metrics_listen.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()

    async def _keep_house(self) -> None:
        """For ever: report how the pipeline fares, and delete what retention does not keep."""
        log = self.embedded.transport.log
        readers: dict[str, tuple[str, ...]] = {
            topic.name: (APP,) if topic.readers else () for topic in TOPICS
        }
        if self.settings.webhook_url:
            readers[SIGNALS.name] = APP, WEBHOOK
        with open_beside(self.settings) as beside:
            upkeep = Upkeep(log, self.embedded.client, beside, self.embedded.metrics)
            await upkeep.keep_house(readers, self.embedded.crashed)

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
    await run_role(Live(settings), on_started, signals)
