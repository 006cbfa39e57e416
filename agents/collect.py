"""The door of the distributed form: ``masir collect``. Hits over HTTP in, the topic ``hits`` on Kafka out."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agents.hop import wall_ms
from agents.starting import run_role
from pipeline.collector.door import Door
from pipeline.collector.tally import TallyMetrics
from pipeline.disk_metrics import Disk
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.traces import Traces
from pipeline.traces import start as start_traces
from pipeline.transport.kafka.connection import client_options, reaching, say_less
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import KafkaPublisher
from pipeline.transport.kafka.salts import SharedSalts
from pipeline.transport.kafka.topics import usable_partitions
from schemas.topics import HITS


class Collect:
    """``port``: where it listens, once started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = 0
        self.metrics = Metrics(version=version("masir"))
        self._publisher: KafkaPublisher | None = None
        self._salts: SharedSalts | None = None
        self._traces: Traces | None = None
        self._door: Door | None = None

    async def start(self) -> None:
        """The topic first. Raises what the operator must mend."""
        settings = self.settings
        partitions = await usable_partitions(settings)
        names, options = Names(settings.broker_prefix), client_options(settings)
        self._traces = start_traces(settings)
        self._publisher = KafkaPublisher(
            names, partitions[HITS.name], options, now_ms=wall_ms, traces=self._traces
        )
        self._salts = SharedSalts(names, options, now_ms=wall_ms)
        with reaching(settings.broker):
            await self._publisher.start()
            await self._salts.start()
        self._door = Door(
            settings,
            self._publisher,
            now_ms=wall_ms,
            extra_routes=[web.get("/metrics", self._expose)],
            salts=self._salts,
        )
        self.metrics.register(TallyMetrics(self._door.tally))
        self.metrics.register(Disk(Path(settings.data)))
        host, _, port = settings.listen.rpartition(":")
        self.port = await self._door.start(host, int(port))

    async def run_until(self, done: asyncio.Event) -> None:
        """Nothing of it can end by itself."""
        await done.wait()

    async def stop(self) -> None:
        """Answer the requests in hand, then close."""
        if self._door is not None:
            await self._door.stop()
        if self._salts is not None:
            await self._salts.stop()
        if self._publisher is not None:
            await self._publisher.stop()
        if self._traces is not None:
            self._traces.close()

    async def _expose(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def run(
    settings: Settings,
    on_started: Callable[[Any], object],
    *,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> None:
    """Run until a signal comes."""
    say_less()
    await run_role(Collect(settings), on_started, signals)
