"""One collector with all that belongs to it: sites that are watched, a spool by setting, counts. For every way to run
one: beside the hops, as one of several processes, in front of Kafka."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from pipeline.collector.from_settings import parts_of
from pipeline.collector.publisher import Publisher
from pipeline.collector.salts import SaltSource
from pipeline.collector.server import Collector
from pipeline.collector.sites.in_force import watch_sites
from pipeline.collector.sites.registry import Denial, Registry
from pipeline.collector.spool import Spool, SpooledPublisher
from pipeline.collector.tally import Tally
from pipeline.settings import Settings

WATCH_SECONDS = 1.0


class Door:
    """``name``: tells the spools of several collectors over one data directory apart. ``salts``: in place of the
    directory's. SettingsError: see ``from_settings``.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        *,
        now_ms: Callable[[], int],
        name: str = "0",
        ready: Callable[[], list[str]] = list,
        extra_routes: Sequence[web.AbstractRouteDef] = (),
        on_sites: Callable[[Registry], object] = lambda _: None,
        salts: SaltSource | None = None,
    ) -> None:
        self._denied: Counter[Denial] = Counter()
        self._ready = ready
        self._spooled: SpooledPublisher | None = None
        if settings.spool_bytes:
            spool = Spool(Path(settings.data) / f"spool-{name}.db", most_bytes=settings.spool_bytes)
            publisher = self._spooled = SpooledPublisher(publisher, spool)
        self._watched = watch_sites(settings, on_change=on_sites)
        parts = parts_of(settings, self._watched, denied=lambda denial: self._denied.update([denial]))
        self.collector = Collector(
            publisher,
            now_ms=now_ms,
            ready=self._reasons,
            limits=parts.limits,
            extra_routes=extra_routes,
            entrance=parts.entrance,
            salts=salts or parts.salts,
        )
        self._watching: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, *, shared: bool = False) -> int:
        """Listen; returns the port. ``shared``: others listen there too."""
        if self._spooled is not None:
            self._spooled.start()
        self._watching = asyncio.create_task(self._watch())
        return await self.collector.start(host, port, shared=shared)

    async def stop(self) -> None:
        """Answer what is in hand; what waits in the spool is drained by the next process."""
        await self.collector.stop()
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._spooled is not None:
            await self._spooled.stop()

    def tally(self) -> Tally:
        """What was counted so far."""
        counts = self.collector.counts
        return Tally(
            requests=counts.requests,
            received=counts.received,
            refused=counts.refused,
            barred=counts.barred,
            turned_away=counts.turned_away,
            denied={denial.value: count for denial, count in self._denied.items()},
            spooled=self._spooled.waiting if self._spooled else 0,
        )

    def _reasons(self) -> list[str]:
        reasons = [*self._ready()]
        if self._spooled is not None and self._spooled.waiting:
            reasons.append(f"the topic is away: {self._spooled.waiting} hits wait in the spool")
        return reasons

    async def _watch(self) -> None:
        while self._watched is not None:
            await asyncio.sleep(WATCH_SECONDS)
            self._watched.refresh()
