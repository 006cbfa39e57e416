"""One of the workers of the distributed form: ``masir worker``. The hops it was given, over Kafka, and their metrics.

Several workers share the partitions; each partition has one owner at a time. A worker that stops hands its partitions
over between two units of work. One that is killed or cut off is shut out by the next owner before that one begins.
"""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import faust
from aiohttp import web
from aiokafka.errors import KafkaError
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agents.app import attach, create_app, relieve_garbage_collector
from agents.beside import Beside
from agents.hop import Context
from agents.hops import STORE, load_models, metrics_of, plans, put_sites
from agents.journeys import NAME as JOURNEYS
from agents.owned import OwnedHop
from agents.shared_tracing import TracedKafka
from agents.starting import cancelled, run_role
from pipeline.collector.sites.in_force import watch_sites
from pipeline.collector.sites.watching import Watched
from pipeline.disk_metrics import Disk
from pipeline.settings import Settings
from pipeline.store.belonging import hits_in_ledger, of_others
from pipeline.store.client import Client
from pipeline.store.errors import StoreError
from pipeline.store.migrations import migrate
from pipeline.store.place import open_beside, open_store
from pipeline.store.query_socket import QueryServer
from pipeline.store.sink import Sink
from pipeline.store.vocabulary import set_vocabulary
from pipeline.traces import start as start_traces
from pipeline.transport.kafka.connection import client_options, faust_urls, say_less
from pipeline.transport.kafka.driver import Cluster, Transport
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.topics import TopicAdmin, hits_read
from pipeline.transport.rows import Cold
from schemas.topics import TOPICS

BUFFERED = 4_096  # batches: more than there are partitions, of which each has one in hand at most
CLOSE_SECONDS = 20.0
HOUSEKEEPING_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Worker:
    """``hops``: names of those to run; empty: all."""

    def __init__(self, settings: Settings, hops: Sequence[str] = ()) -> None:
        self.settings = settings
        self.hops = hops
        self.port = 0
        self.metrics = metrics_of(settings)
        self.metrics.register(Disk(Path(settings.data)))
        self._models = load_models(settings)
        self._away: dict[str, str] = {}
        self._client: Client | None = None
        self._app: faust.App | None = None
        self._stack = AsyncExitStack()
        self._sites: Watched | None = None
        self._crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Check the topics, open the store, join the group. Raises what the operator must mend."""
        settings, names = self.settings, Names(self.settings.broker_prefix)
        cold = Cold(Path(settings.data), settings.state_rows)
        async with TopicAdmin(settings) as admin:
            partitions = await admin.partitions()
            await admin.check_writing()
        cluster = Cluster(names, client_options(settings), partitions, cold)
        if not self.hops or STORE in self.hops:
            await self._open_store()
        traces = start_traces(settings)
        if traces is not None:
            self._stack.callback(traces.close)
        app = self._app = create_app(
            names.group,
            faust_urls(settings),
            stream_buffer_maxsize=BUFFERED,
            broker_session_timeout=settings.worker_lost_seconds,
            broker_heartbeat_interval=settings.worker_lost_seconds / 3,
        )
        transport: Transport = app.transport
        transport.join(cluster)
        beside = Beside(settings, transport, self.metrics, self._client, self._models)
        self._stack.push_async_callback(beside.close)
        await beside.prepare()
        seen = TracedKafka(transport, traces) if traces else transport
        context = Context(seen, self.metrics, away=self._away, erasures=beside.erasures)
        self._sites = watch_sites(
            settings, on_change=lambda registry: put_sites(context.sites, registry, settings)
        )
        for plan in plans(context, settings, self._models, self._sink):
            if not self.hops or plan.name in self.hops:
                hop = OwnedHop(
                    plan.name,
                    plan.make,
                    plan.topics,
                    self.metrics,
                    per_partition=plan.name != STORE,
                    arrived=beside.erasures.arrived,
                    before=beside.models.before,
                )
                if plan.name == JOURNEYS:
                    beside.models.journeys = hop
                transport.owning.on_lost.append(hop.forget)
                attach(app, plan.name, hop, [names.topic(topic) for topic in plan.topics], self._crashed)
        app.finalize()
        self._stack.push_async_callback(self._hand_over)
        await app.start()
        relieve_garbage_collector()
        self._stack.push_async_callback(beside.stop)
        await beside.start(self._crashed)
        await self._listen()
        self._stack.push_async_callback(cancelled, asyncio.create_task(self._keep_house()))

    async def stop(self) -> None:
        """Hand over: finish the units of work under way, leave the group. Whatever was begun is closed."""
        await self._stack.aclose()

    async def _hand_over(self) -> None:
        assert self._app is not None
        self._app.consumer.stop_flow()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.transport.owning.close()
        except TimeoutError:
            _log.warning(
                "not handed over within %d s: the next owner begins at the last commit", CLOSE_SECONDS
            )
        await self._app.stop()

    async def run_until(self, done: asyncio.Event) -> None:
        """Wait; raises what a hop or Faust could not go on with, if that comes first."""
        assert self._app is not None, "not started"
        waiting = {
            asyncio.ensure_future(done.wait()),
            asyncio.ensure_future(self._app.wait_until_stopped()),
            self._crash,
        }
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting - {self._crash}:
            one.cancel()
        if self._crash.done():
            self._crash.result()
        if self._app.crash_reason is not None:
            raise self._app.crash_reason

    @property
    def transport(self) -> Transport:
        """Of the running hops."""
        assert self._app is not None, "not started"
        return self._app.transport  # type: ignore[no-any-return]

    def _sink(self) -> Sink:
        assert self._client is not None, "this worker writes no rows"
        return Sink(self._client)

    async def _open_store(self) -> None:
        self._client = await asyncio.to_thread(open_store, self.settings)
        self._stack.callback(self._client.close)
        migrate(self._client, ttl_days=self.settings.ttl_days)
        if (hits := hits_in_ledger(self._client)) and not await hits_read(self.settings):
            raise of_others(self._client, hits, f"the topics {self.settings.broker_prefix}.*")
        models = self._models.models
        set_vocabulary(self._client, models, self.settings)
        if not self.settings.clickhouse:  # a server answers for itself
            queries = QueryServer(Path(self.settings.data), lambda: open_beside(self.settings))
            self._stack.push_async_callback(queries.stop)
            await queries.start()

    async def _keep_house(self) -> None:
        """For ever: report how far behind the hops are, delete what they need no more, read changed sites again."""
        transport, readers = self.transport, {topic.name: topic.readers for topic in TOPICS}
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                if self._sites is not None:
                    self._sites.refresh()
                lags: Counter[tuple[str, int]] = Counter()
                for (topic, partition), lag in (await transport.lags()).items():
                    lags.update({(reader, partition): lag for reader in readers[topic]})
                for (reader, partition), lag in lags.items():
                    self.metrics.consumer_lag(reader, partition, lag)
                await transport.owning.delete_unneeded()
                if self._client is not None:
                    await asyncio.to_thread(self._client.look_after_disk)
            except KafkaError as error:
                _log.warning("the broker does not say how far behind the hops are: %r", error)
            except StoreError as error:
                _log.warning("the store has no room: %s", error)
            except Exception as error:
                self._crashed(error)

    async def _listen(self) -> None:
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", _healthy),
                web.get("/readyz", self._ready),
            ]
        )
        runner = web.AppRunner(application, access_log=None)
        self._stack.push_async_callback(runner.cleanup)
        await runner.setup()
        host, _, port = self.settings.listen.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
        self.port = int(runner.addresses[0][1])

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _ready(self, _request: web.Request) -> web.Response:
        """Every partition this worker has is being read, and the store takes rows. One without any is a spare."""
        waiting = sorted(f"{tp.topic}-{tp.partition}" for tp in self.transport.owning.waiting)
        status = 503 if waiting or self._away else 200
        return web.json_response({"waiting": waiting, "away": self._away}, status=status)

    def _crashed(self, error: Exception) -> None:
        if not self._crash.done():
            self._crash.set_exception(error)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def run(
    settings: Settings,
    hops: Sequence[str],
    on_started: Callable[[Any], object],
    *,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> None:
    """Run until a signal comes. Raises what a hop could not go on with."""
    say_less()
    await run_role(Worker(settings, hops), on_started, signals)
