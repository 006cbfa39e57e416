"""The whole job over Kafka: one worker with all hops works through a filled topic, its store in an empty directory.

``python -m bench.kafka_job ADDRESS FILE HITS [PREFIX]``. The hits are in the topic before the worker starts, and come
into its sight, all of them, when every partition is ready: the clock runs from then to the last committed offset. CPU
is that of the whole process, the consumer's thread and the store's engine included. What was measured must be what was
asked for: where the ledger in the store has not counted every hit in the end, there is no figure but an error.
``PREFIX``: of the topics; other jobs may read ``PREFIX.hits`` after this one.
"""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from agents.worker import Worker
from bench.cluster import STEPS
from bench.kafka_fill import Show, first_lines, hidden, settings_of
from bench.process import Measure, Stopwatch, emit
from pipeline.settings import Settings
from pipeline.store.client import rows
from pipeline.store.place import open_store
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.partition import Partition

PATIENCE_SECONDS = 300.0


class UnfinishedError(Exception):
    """The clock stopped before the work was done: what it shows is no measure."""


async def work(settings: Settings, hits: int, show: Show) -> Measure:
    """From when the hits are shown until all topics are consumed."""
    worker = Worker(settings)
    await worker.start()
    await ready(worker.transport)
    with Stopwatch() as stopwatch:
        await show()
        for step in STEPS:
            await consumed(worker.transport, step)
    await worker.stop()
    return checked(stopwatch.measure(hits), counted(settings))


async def ready(transport: Transport) -> None:
    """Until every partition is read."""
    partitions = transport.owning.partitions
    while not (partitions and all(one.is_ready for one in partitions.values())):
        await asyncio.sleep(0.005)


def counted(settings: Settings) -> int:
    """Hits in the ledger of the store, which nobody else has open."""
    with closing(open_store(settings, read_only=True)) as store:
        (found,) = rows(store, "SELECT sum(hits) AS hits FROM ledger")
    return int(found["hits"])


def checked(measure: Measure, count: int) -> Measure:
    """The measure, if so many hits were counted as it is for."""
    if count != measure.hits:
        raise UnfinishedError(f"the store has {count} of {measure.hits} hits after {measure.seconds:.2f} s")
    return measure


async def consumed(transport: Transport, names: frozenset[str]) -> None:
    """Until what these topics hold now is committed. More comes all the time: the clock goes on, and says so.

    What is written and not committed counts: a commit shows in the ends of what is committed a little later only.
    """
    owned, cluster = transport.owning.partitions, transport.cluster
    ends = await transport.offsets.written({tp for tp in owned if cluster.names.bare(tp.topic) in names})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(tp in owned and is_consumed(owned[tp], end) for tp, end in ends.items()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not consumed: {sorted(names)}")
        await asyncio.sleep(0.02)


def is_consumed(one: Partition, end: int) -> bool:
    """It is read to there, beyond transactions' markers, which nobody commits, and all that was read is committed."""
    is_idle = not one.fetched and (one.in_hand is None or one.in_hand.is_tick)
    return one.position >= end and is_idle and one.is_done


async def run(settings: Settings, hits: Sequence[bytes]) -> Measure:
    """Fill, then work."""
    async with hidden(settings, hits) as show:
        return await work(settings, len(hits), show)


def main(address: str, path: str, hits: str, prefix: str = "") -> Measure:
    """The arguments of the command line."""
    named = {"broker_prefix": prefix} if prefix else {}
    with tempfile.TemporaryDirectory() as data:
        return asyncio.run(run(settings_of(address, data, **named), first_lines(Path(path), int(hits))))


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's first batches are tried again
    emit(main(*sys.argv[1:]))
