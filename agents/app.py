"""The Faust app: every hop an agent on its topics. Built from settings; nothing happens at import."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import faust
from faust.tables import TableManager

from agents.hop import Hop
from pipeline.settings import SettingsError
from pipeline.transport.batch import Batch

GC_THRESHOLD = (100_000, 20, 100)
_log = logging.getLogger(__name__)


class Tables(TableManager):
    """Faust waits a second at each start for tables to be declared; there are none."""

    async def sleep(self, n: float) -> None:
        """That second is all that is slept here."""


class App(faust.App):
    """Faust makes directories for its tables where it is started; there are no tables."""

    async def on_first_start(self) -> None:
        """Make none."""


def relieve_garbage_collector() -> None:
    """The state is many small objects that live long and refer to none that refer back: looking through them for
    cycles again and again is work for nothing.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def create_app(name: str, broker: str | list[str], **options: Any) -> faust.App:
    """A Faust app without tables, web server or leader: units of work keep state and offsets.

    ``options``: further settings of Faust's.
    """
    ours: dict[str, Any] = {
        "TableManager": Tables,
        "autodiscover": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "web_enabled": False,
        "stream_buffer_maxsize": 16,  # batches, not records
        "stream_wait_empty": False,
        "broker_commit_interval": 3_600.0,  # offsets are committed by the units of work
    }
    return App(name, broker=broker, **ours | options)


def attach(
    app: faust.App, name: str, hop: Hop, topics: Sequence[str], on_crash: Callable[[Exception], None]
) -> None:
    """Let ``hop`` handle the batches of ``topics``, one after the other.

    A hop that raises has met a fault of ours or of the machine. Nothing of its batch has been committed, and nothing
    more is handled: whoever runs the app is told, and stops rather than skip it.
    """
    channel = app.topic(*topics, key_type=bytes, value_type=bytes, value_serializer="raw", acks=False)

    async def agent(stream: AsyncIterator[Batch]) -> None:
        async for batch in stream:
            try:
                await hop.handle(batch)
            except Exception as error:
                if not isinstance(error, SettingsError):  # that one says itself what to change
                    _log.exception("%s cannot go on at %s-%s", name, batch.topic, batch.partition)
                on_crash(error)
                await asyncio.Event().wait()
            batch.release()

    app.agent(channel, name=name)(agent)
