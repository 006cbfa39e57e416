"""What runs beside the hops of one worker: erasures, stage models, telling signals, figures of money and the ledger.

Of what only one worker is to do, the one does it that has the first partition of ``hit_rows``: it has the store.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Protocol

from aiokafka.errors import KafkaError
from faust.types import TP

from agents.hop import wall_ms
from agents.leading import Leader
from agents.shared_erasing import SharedEraser
from agents.shared_erasures import SharedErasures
from agents.shared_models import SharedModels
from agents.shared_rebuilding import SharedRebuilder
from agents.starting import cancelled
from agents.upkeep import LedgerCheck, Money
from agents.webhook import sharing
from pipeline.core.models import Models
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.errors import StoreError
from pipeline.store.place import open_beside
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.driver import Transport
from schemas.topics import HITS

LOOK_SECONDS = 5.0
LEDGER_LOOKS = 12  # from one look at the ledger to the next: rows are under way for less than this minute


class Beside:
    """``client``: None where the worker writes no rows. ``erasures``, ``models``: for the hops, once prepared."""

    erasures: SharedErasures

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        metrics: Metrics,
        client: Client | None,
        models: Models,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._metrics = metrics
        self._client = client
        self._control = Control(transport.cluster.names, transport.cluster.options)
        self.models = SharedModels(settings, transport, self._control, models, client)
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Before the hops: know who stays out. :class:`SettingsError`: this worker's models are not in force."""
        self._stack.push_async_callback(self._control.stop)
        await self._control.start()
        self.erasures = SharedErasures(self._transport, self._control)
        self._stack.push_async_callback(self.erasures.stop)
        self.models.check()
        self._transport.owning.before_reading = self.models.before_reading
        self._transport.owning.is_held = self.models.is_held

    async def start(self, on_crash: Callable[[Exception], None]) -> None:
        """Beside the running hops."""
        if self._settings.webhook_url:
            await self._stack.enter_async_context(
                sharing(self._settings, self._transport.cluster, self._metrics, on_crash)
            )
        self._tasks = [asyncio.create_task(self.models.watch(on_crash))]
        if self._client is not None:
            leader = Leader(self._transport, self._control)
            errands = (
                SharedEraser(self._settings, leader, self._client),
                SharedRebuilder(self._settings, leader, self._client, lambda: self.models.models),
            )
            beside = self._stack.enter_context(await asyncio.to_thread(open_beside, self._settings))
            money = Money(beside, self._metrics, claims=True)
            ledger = LedgerCheck(beside, self._metrics, self._hits_taken)
            self._tasks += [
                asyncio.create_task(leader.watch(errands, on_crash)),
                asyncio.create_task(report_figures(leader, money, ledger, on_crash)),
            ]

    async def stop(self) -> None:
        """Before the hops stop."""
        for task in self._tasks:
            await cancelled(task)

    async def close(self) -> None:
        """After the hops have stopped: partitions that are being taken up ask the control topic."""
        await self._stack.aclose()

    async def _hits_taken(self) -> int:
        """Offsets count hits: nobody writes to their topic in transactions, whose ends would have offsets, too."""
        name, partitions = (
            self._transport.cluster.names.topic(HITS.name),
            self._transport.partitions(HITS.name),
        )
        committed = await self._transport.offsets.committed(
            {TP(name, number) for number in range(partitions)}
        )
        return sum(max(0, offset) for offset in committed.values())


class Place(Protocol):
    """What one worker at a time has."""

    @property
    def is_ours(self) -> bool: ...


async def report_figures(
    place: Place, money: Money, ledger: LedgerCheck, on_crash: Callable[[Exception], None]
) -> None:
    """For ever, while it is for us to say. A store or a broker that is away says nothing. ``on_crash`` is told what
    cannot be gone on with.
    """
    try:
        await _report(place, money, ledger)
    except Exception as error:
        on_crash(error)


async def _report(place: Place, money: Money, ledger: LedgerCheck) -> None:
    looks = 0
    while True:
        if place.is_ours:
            await money.report(wall_ms() / 1000)
            if looks % LEDGER_LOOKS == 0:
                with suppress(StoreError, KafkaError):
                    await ledger.report()
            looks += 1
        else:
            money.withdraw()
            ledger.withdraw()
            looks = 0
        await asyncio.sleep(LOOK_SECONDS)
