"""A hop that keeps what the driver hands it, under a real Faust app on a real file of topics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

import faust

from agents.app import attach, create_app
from pipeline.transport.batch import Batch
from pipeline.transport.driver import Transport
from pipeline.transport.log import Log

SOON = 10.0


class Recorder:
    """A hop that keeps what it was handed and commits it with one output record. ``pause``: per batch, s."""

    def __init__(self, *, pause: float = 0.0) -> None:
        self.batches: list[Batch] = []
        self.ticks: list[Batch] = []
        self.transport: Transport | None = None
        self.pause = pause
        self.is_busy = False

    async def handle(self, batch: Batch) -> None:
        assert not self.is_busy, "one at a time"
        self.is_busy = True
        await asyncio.sleep(self.pause)
        self.is_busy = False
        if batch.is_tick:
            self.ticks.append(batch)
        else:
            assert self.transport is not None
            unit = self.transport.unit()
            unit.send("out", batch.partition, [b",".join(batch.values)])
            await unit.commit([batch], [], now_ms=0)
            self.batches.append(batch)

    def values(self, partition: int = 0) -> list[bytes]:
        return [value for batch in self.batches if batch.partition == partition for value in batch.values]


def append(log: Log, count: int, partition: int = 0, topic: str = "hits") -> None:
    first = log.end(topic, partition)
    with log.transaction():
        log.append(topic, partition, [b"%d" % n for n in range(first, first + count)], now_ms=0)


@asynccontextmanager
async def running(
    log: Log,
    hop: Recorder,
    *topics: str,
    configure: Callable[[Transport], None] = lambda _: None,
    on_crash: Callable[[Exception], None] = lambda _: None,
) -> AsyncIterator[faust.App]:
    app = create_app("test", f"sqlite://{quote(str(log.path))}")
    hop.transport = app.transport
    configure(app.transport)
    attach(app, "hop", hop, topics or ("hits",), on_crash)
    app.finalize()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.005)
