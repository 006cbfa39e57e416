"""Everything in one process: topics on SQLite, the store in-process through chDB, all hops, and what is beside them.

The data directory holds ``masir.db`` (topics, state, offsets) and ``clickhouse/`` (the store). ``kill -9`` at any
moment loses nothing that was acknowledged: the next start goes on with the last unit of work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import faust

from agents.app import attach, create_app, relieve_garbage_collector
from agents.erasures import Erasures
from agents.gate import Gate
from agents.hop import Context
from agents.hops import load_models, metrics_of, plans
from agents.journeys import Journeys
from agents.sessionizer import Sessionizer
from agents.store import TABLE_OF
from agents.tracing import TracedTransport
from pipeline.core.models import Models
from pipeline.core.site_rules import SiteRules
from pipeline.settings import Settings, SettingsError
from pipeline.store.belonging import hits_in_ledger, of_others
from pipeline.store.client import Client
from pipeline.store.migrations import migrate
from pipeline.store.place import open_store
from pipeline.store.sink import Sink
from pipeline.store.vocabulary import set_vocabulary
from pipeline.traces import start as start_traces
from pipeline.transport.driver import Transport
from pipeline.transport.ending import Ending
from pipeline.transport.erasures import ErasureRequests
from pipeline.transport.log import DATABASE, Log
from pipeline.transport.rebuilds import RebuildRequests
from pipeline.transport.rows import Cold
from schemas import topics

APP = "masir"
POLL_SECONDS = 0.05
MOST_RECORDS_BOUNDED = 20_000  # of one batch: nobody waits for the event loop meanwhile


class Embedded:
    """One data directory, opened. ``bounded``: the input ends (files), nothing in it is late; else a live stream."""

    def __init__(self, settings: Settings, *, bounded: bool = False) -> None:
        self.settings = settings
        self.bounded = bounded
        self.directory = Path(settings.data)
        self.models = self.load_models()
        self.metrics = metrics_of(settings)
        self.database = (self.directory / DATABASE).absolute()
        self.client: Client = open_store(settings)
        try:
            migrate(self.client, ttl_days=settings.ttl_days)
            set_vocabulary(self.client, self.models.models, settings)
            self._create_topics()
            self._check_store()
        except BaseException:
            self.client.close()
            raise
        self.away: dict[str, str] = {}  # what the hops wait for, and why
        self.reads: dict[str, tuple[str, ...]] = {}  # by hop
        self.gates: dict[str, Gate] = {}  # by hop
        self.requests = ErasureRequests(self.directory)
        self.rebuilds = RebuildRequests(self.directory)
        self.erasures = Erasures()
        self.sites = SiteRules()
        self.keep_out()
        self.traces = None if bounded else start_traces(settings)
        self._app: faust.App | None = None
        self._crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def load_models(self) -> Models:
        """Those of the files as they are now."""
        return load_models(self.settings)

    def keep_out(self) -> None:
        """Who was erased stays out; another process may have changed the list."""
        self.erasures.suppressed.put(self.requests.key, self.requests.suppressed())

    def close(self) -> None:
        """Let go of the store, and send the last spans."""
        self.client.close()
        if self.traces is not None:
            self.traces.close()

    async def start(self, ending: Callable[[], bool] | None = None) -> None:
        """Start the hops. ``ending`` (bounded input): has all input been appended?"""
        app = self._app = create_app(APP, self.broker)
        transport: Transport = app.transport
        transport.cold = Cold(self.directory, self.settings.state_rows)
        transport.gathered = TABLE_OF
        if self.bounded:
            transport.most_records = MOST_RECORDS_BOUNDED
        if ending is not None:
            counts = dict.fromkeys(self._consumed, self.settings.partitions)
            transport.ending = Ending(counts, ending)
        seen = TracedTransport(transport, self.traces, transport.log.end) if self.traces else transport
        context = Context(seen, self.metrics, away=self.away, erasures=self.erasures, sites=self.sites)
        for plan in plans(
            context, self.settings, self.models, lambda: Sink(self.client), bounded=self.bounded
        ):
            self.reads[plan.name] = plan.topics
            hop = plan.make()
            if isinstance(hop, Sessionizer):
                hop.epoch = self.rebuilds.epoch
            gate = self.gates[plan.name] = Gate(hop)
            attach(app, plan.name, gate, plan.topics, self.crashed)
        await self._hold_journeys()
        app.finalize()
        await app.start()
        relieve_garbage_collector()

    async def _hold_journeys(self) -> None:
        """A history that is to be made anew is not gone on with before, and no hit is matched by models that are not
        those of the state."""
        pending, journeys = self.rebuilds.pending(), self.gates["journeys"].hop
        if not pending and isinstance(journeys, Journeys):
            journeys.check()
        if self.bounded and any(request.is_begun for request in pending):
            raise SettingsError("models: `masir rebuild` has begun here and is not done; run it again first")
        if pending and not self.bounded:
            await self.gates["journeys"].shut()

    async def stop(self) -> None:
        """Stop the hops between two units of work."""
        if self._app is not None:
            await self._app.stop()

    async def run_until(self, done: Awaitable[object]) -> None:
        """Wait for ``done``; raises what it raises, or what a hop could not go on with, if that comes first."""
        waiting: asyncio.Future[Any] = asyncio.ensure_future(done)
        await asyncio.wait({waiting, self._crash}, return_when=asyncio.FIRST_COMPLETED)
        if self._crash.done():
            waiting.cancel()
            self._crash.result()
        waiting.result()

    async def until_consumed(self, names: Iterable[str]) -> None:
        """Until all that is in these topics now has been consumed."""
        log, wanted = self.transport.log, frozenset(names)
        ends = {at: end for at, end in log.ends().items() if at[0] in wanted}
        while True:
            committed = log.committed(APP)
            if all(committed.get(at, 0) >= end for at, end in ends.items()):
                return
            await asyncio.sleep(POLL_SECONDS)

    def crashed(self, error: Exception) -> None:
        """A hop, or what is beside them, cannot go on: :meth:`run_until` raises it."""
        if not self._crash.done():
            self._crash.set_exception(error)

    @property
    def broker(self) -> str:
        """The address of the topics."""
        return f"sqlite://{quote(str(self.database))}"

    @property
    def transport(self) -> Transport:
        """The running hops' transport."""
        assert self._app is not None, "not started"
        return self._app.transport  # type: ignore[no-any-return]

    _consumed = tuple(topic.name for topic in topics.TOPICS if topic.readers)

    def _check_store(self) -> None:
        with closing(Log(self.database)) as log:
            taken = sum(
                offset for (topic, _), offset in log.committed(APP).items() if topic == topics.HITS.name
            )
        if not taken and (hits := hits_in_ledger(self.client)):
            raise of_others(self.client, hits, str(self.database))

    def _create_topics(self) -> None:
        hits_retention_ms = round(self.settings.hits_retention_hours * topics.HOUR_MS)
        with closing(Log(self.database)) as log:
            for topic in topics.TOPICS:
                retention_ms = hits_retention_ms if topic is topics.HITS else topic.retention_ms
                try:
                    log.create_topic(
                        topic.name, partitions=self.settings.partitions, retention_ms=retention_ms
                    )
                except ValueError as error:
                    raise SettingsError(f"partitions: {error}") from error
