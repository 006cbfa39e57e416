"""Bounded input through the same agents to its end: ``masir process``. The last batch closes every session."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter, process_time
from typing import cast

from msgspec import Struct

from agents.embedded import APP, Embedded
from agents.hop import wall_ms
from pipeline.core.packed import gathered
from pipeline.settings import Settings
from pipeline.transport.log import DATABASE, Log
from pipeline.transport.publish import LogPublisher

CHUNK = 10_000  # hits of a transaction, at least
MOST_AHEAD = 100_000  # hits appended and not yet consumed: bounds the file, not the input
PAUSE_SECONDS = 0.005


class Processed(Struct):
    """``hits``: records read from the input. ``seconds``: from the first to the last row stored; ``cpu_seconds``: of
    the whole process in that time.
    """

    hits: int
    seconds: float
    cpu_seconds: float


async def process(
    settings: Settings, hits: Iterable[Sequence[bytes]], *, with_store: Callable[[Embedded, Processed], None]
) -> None:
    """Run ``hits``, some at a time, through all hops to the end, then hand the open store to ``with_store``."""
    embedded = Embedded(settings, bounded=True)
    try:
        ended = False
        await embedded.start(lambda: ended)
        if cast(asyncio.Task[None], asyncio.current_task()).cancelling():
            raise asyncio.CancelledError  # Faust waits by wait_for, which may swallow it: python/cpython issue 86296
        started, cpu_started = perf_counter(), process_time()
        feeding = asyncio.ensure_future(_feed(embedded, hits))
        await embedded.run_until(feeding)
        ended = True
        embedded.transport.wake()
        await embedded.run_until(_until_over(embedded))
        processed = Processed(feeding.result(), perf_counter() - started, process_time() - cpu_started)
        await embedded.stop()
        with_store(embedded, processed)
    finally:
        await embedded.stop()
        embedded.close()


async def _feed(embedded: Embedded, hits: Iterable[Sequence[bytes]]) -> int:
    transport = embedded.transport
    publisher = LogPublisher(transport.log, APP, now_ms=wall_ms, on_append=transport.wake)
    count = 0
    try:
        for chunk in gathered(hits, CHUNK):
            publisher.append_hits(chunk)
            count += len(chunk)
            await asyncio.sleep(0)
            while publisher.backlog() > MOST_AHEAD:
                await asyncio.sleep(PAUSE_SECONDS)
    except Exception as error:
        if count:
            error.add_note(f"the first {count:,} hits are in {embedded.settings.data}, the others are not")
        raise
    return count


async def _until_over(embedded: Embedded) -> None:
    ending = embedded.transport.ending
    while ending is not None and not ending.is_over:
        await asyncio.sleep(PAUSE_SECONDS)


def append(settings: Settings, hits: Iterable[bytes]) -> None:
    """Append hits to the topic of a pipeline that runs in another process."""
    with closing(Log(Path(settings.data) / DATABASE)) as log:
        publisher = LogPublisher(log, APP, now_ms=wall_ms)
        publisher.append_hits(list(hits))
