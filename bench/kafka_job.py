"""The whole job over Kafka: one worker with all hops works through a filled topic, its store in an empty directory.

``python -m bench.kafka_job ADDRESS FILE HITS``. The clock runs from the first batch to the last committed offset; CPU
is that of the whole process, the consumer's thread and the store's engine included.
"""

import asyncio
import logging
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec
from aiokafka import TopicPartition  # type: ignore[import-untyped]

from agents.worker import Worker
from bench.cluster import STEPS, unread_of
from bench.process import Measure, Stopwatch, emit
from pipeline.core.decode import keys_of
from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import KafkaPublisher
from pipeline.transport.kafka.topics import TopicAdmin

CHUNK = 2_000
PATIENCE_SECONDS = 300.0


def settings_of(address: str, data: str, **others: object) -> Settings:
    """A namespace of its own in the cluster. Recorded hits are old: none of them is late."""
    base = Settings(
        broker=f"kafka://{address}",
        broker_prefix=f"b{uuid.uuid4().hex[:12]}",
        broker_replication=1,
        data=data,
        listen="127.0.0.1:0",
        allowed_lateness_seconds=366 * 86_400,
        dedupe_hours=366 * 24,
    )
    return msgspec.structs.replace(base, **others)


async def fill(settings: Settings, hits: Iterable[bytes]) -> int:
    """Make the topics and put the hits into them, as a collector does; returns how many."""
    async with TopicAdmin(settings) as admin:
        await admin.create()
    names, options = Names(settings.broker_prefix), client_options(settings)
    publisher = KafkaPublisher(
        names, settings.partitions, options, now_ms=lambda: time.time_ns() // 1_000_000
    )
    await publisher.start()
    source, count = iter(hits), 0
    while chunk := list(islice(source, CHUNK)):
        await publisher.publish(list(zip(keys_of(chunk), chunk, strict=True)))
        count += len(chunk)
    await publisher.stop()
    return count


async def work(settings: Settings, hits: int) -> Measure:
    """Until all topics are consumed."""
    worker = Worker(settings)
    await worker.start()
    partitions = worker.transport.owning.partitions
    while not (partitions and all(one.is_ready for one in partitions.values())):
        await asyncio.sleep(0.005)
    with Stopwatch() as stopwatch:
        for step in STEPS:
            await consumed(worker.transport, step)
    await worker.stop()
    return stopwatch.measure(hits)


async def consumed(transport: Transport, names: frozenset[str]) -> None:
    """Until what these topics hold now is committed. More comes all the time: the clock goes on, and says so."""
    ends = await transport.ends(names)
    deadline = time.monotonic() + PATIENCE_SECONDS
    owned, cluster = transport.owning.partitions, transport.cluster
    address = ",".join(cluster.options["bootstrap_servers"])
    while behind := {tp: end for tp, end in ends.items() if owned[tp].committed < end}:
        is_read = all(owned[tp].position >= end for tp, end in behind.items())
        if is_read and not await unread_of(
            address, cluster.names, {TopicPartition(*tp): end for tp, end in behind.items()}
        ):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not consumed: {sorted(names)}")
        await asyncio.sleep(0.02)


async def run(address: str, path: Path, hits: int) -> Measure:
    """Fill, then work."""
    with tempfile.TemporaryDirectory() as data:
        settings = settings_of(address, data)
        with path.open("rb") as lines:
            count = await fill(settings, (line.rstrip() for line in islice(lines, hits)))
        return await work(settings, count)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's first batches are tried again
    emit(asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
