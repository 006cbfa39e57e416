"""Erasures and stage models, as each process follows them in their topic, and what one command asks of the workers."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options, reaching
from pipeline.transport.kafka.followed import Followed
from pipeline.transport.kafka.known import Asked, Known, out, request
from pipeline.transport.kafka.known_models import Asked as ToRebuild
from pipeline.transport.kafka.known_models import KnownModels
from pipeline.transport.kafka.known_models import request as to_rebuild
from pipeline.transport.kafka.names import ERASURES, Names
from pipeline.transport.kafka.topics import usable_partitions


class Control(Followed):
    """``known``, of erasures, and ``models``: what has been read."""

    def __init__(self, names: Names, options: dict[str, Any]) -> None:
        self.known = Known()
        self.models = KnownModels()
        super().__init__(names.topic(ERASURES), options, self._take_both)

    def _take_both(self, record: Any) -> None:
        self.known.take(record)
        self.models.take(record)


@asynccontextmanager
async def controlling(settings: Settings) -> AsyncIterator[Control]:
    """For one command. :class:`BrokerError`: there is no cluster; SettingsError: there are no topics."""
    await usable_partitions(settings)
    control = Control(Names(settings.broker_prefix), client_options(settings))
    try:
        with reaching(settings.broker):
            await control.start()
            yield control
    finally:
        await control.stop()


async def ask(
    settings: Settings, site: str, kind: str, an_id: str, *, now_ms: int, seconds: float
) -> bytes | None:
    """Ask the workers to erase a person; their receipt, or None if there is none after ``seconds``."""
    name = secrets.token_hex(8)
    async with controlling(settings) as control:
        await control.add([request(name, Asked(site, kind, an_id, now_ms))])
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await control.until(lambda: name in control.known.receipts)
        receipt = control.known.receipts.get(name)
        return receipt.text if receipt else None


async def ask_to_rebuild(settings: Settings, asked: ToRebuild, *, seconds: float) -> bytes | None:
    """Ask the workers to make histories anew; their receipt, or None if there is none after ``seconds``."""
    name = secrets.token_hex(8)
    async with controlling(settings) as control:
        await control.add([to_rebuild(name, asked)])
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await control.until(lambda: name in control.models.receipts)
        return control.models.receipts.get(name)


async def readmit(settings: Settings, site: str, kind: str, an_id: str) -> bool:
    """Somebody may come in again; False: they were not kept out."""
    async with controlling(settings) as control:
        known = control.known
        if not known.is_out(site, kind, an_id):
            return False
        await control.add(out([known.digest(site, kind, an_id)], stays=False))
        return True


async def erased_sites(settings: Settings) -> set[str]:
    """Sites of which somebody was erased."""
    async with controlling(settings) as control:
        return control.known.sites
