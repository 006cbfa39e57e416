"""The door of the distributed form: ``masir collect``. Hits over HTTP in, the topic ``hits`` on Kafka out."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
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
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """The topic first. Raises what the operator must mend."""
        settings = self.settings
        partitions = await usable_partitions(settings)
        names, options = Names(settings.broker_prefix), client_options(settings)
        traces = start_traces(settings)
        if traces is not None:
            self._stack.callback(traces.close)
        publisher = KafkaPublisher(names, partitions[HITS.name], options, now_ms=wall_ms, traces=traces)
        salts = SharedSalts(names, options, now_ms=wall_ms)
        self._stack.push_async_callback(publisher.stop)
        self._stack.push_async_callback(salts.stop)
        with reaching(settings.broker):
            await publisher.start()
            await salts.start()
        door = Door(
            settings,
            publisher,
            now_ms=wall_ms,
            extra_routes=[web.get("/metrics", self._expose)],
            salts=salts,
        )
        self._stack.push_async_callback(door.stop)
        self.metrics.register(TallyMetrics(door.tally))
        self.metrics.register(Disk(Path(settings.data)))
        host, _, port = settings.listen.rpartition(":")
        self.port = await door.start(host, int(port))

    async def run_until(self, done: asyncio.Event) -> None:
        """Nothing of it can end by itself."""
        await done.wait()

    async def stop(self) -> None:
        """Answer the requests in hand, then close."""
        await self._stack.aclose()

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
