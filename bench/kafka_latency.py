"""How long a hit is under way at a steady load: from its receipt to the gauges, and to its row in the store.

``python -m bench.kafka_latency ADDRESS FILE RATE SECONDS`` sends hits of the file at that rate, as a collector does,
from a process of its own on the broker's core, to one worker with all hops. Prints one JSON object: p50 and p99 in
seconds, over the oldest hit of each batch, which is the worst of it, and the rate that was reached. The first seconds
are left out. None of the hits is sent twice: what is known already is less work.
"""

import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import msgspec

from agents.worker import Worker
from bench.kafka_fill import fill, first_lines, settings_of
from bench.kafka_job import ready
from bench.process import cores
from pipeline.core.plain_fields import keys_of
from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import KafkaPublisher

SLICE_SECONDS = 0.05
WARM_UP_SECONDS = (
    40.0  # the broker has just been started: for that long half of its core compiles its own code
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ages:
    """Seconds from receipt to the gauges (``counters``) and to the row (``store``), from a moment on."""

    def __init__(self) -> None:
        self.since_ms = 0
        self.of: dict[str, list[float]] = {"counters": [], "store": []}

    def note(self, hop: str, seconds: Iterable[float]) -> None:
        """As a worker's metrics are told."""
        self.of[hop] += [age for age in seconds if now_ms() - age * 1000 >= self.since_ms]


def hits_for(rate: float, seconds: float) -> int:
    """How many the file must have."""
    return round(rate * (WARM_UP_SECONDS + seconds + 1))


def send(settings: Settings, path: Path, rate: int, seconds: float, core: int) -> float:
    """For so long after the warm-up, in a process of its own; returns the rate that was reached."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    hits = first_lines(path, hits_for(rate, seconds))
    return asyncio.run(_send(settings, iter(hits), rate, WARM_UP_SECONDS + seconds))


async def _send(settings: Settings, lines: Iterator[bytes], rate: int, seconds: float) -> float:
    publisher = KafkaPublisher(
        Names(settings.broker_prefix), settings.partitions, client_options(settings), now_ms=now_ms
    )
    await publisher.start()
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        chunk = list(islice(lines, int(elapsed * rate) - sent))
        if chunk:
            await publisher.publish(list(zip(keys_of(chunk), chunk, strict=True)))
        sent += len(chunk)
        await asyncio.sleep(SLICE_SECONDS)
    await publisher.stop()
    return sent / elapsed


async def run(address: str, path: Path, rate: int, seconds: float) -> dict[str, float]:
    """The figures, by name."""
    ages = Ages()
    with (
        tempfile.TemporaryDirectory() as data,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other,
    ):
        settings = settings_of(address, data)
        await fill(settings, [])
        worker = Worker(settings)
        worker.metrics.end_to_end = ages.note  # type: ignore[method-assign]
        await worker.start()
        await ready(worker.transport)
        ages.since_ms = now_ms() + round(WARM_UP_SECONDS * 1000)
        sending = other.submit(send, settings, path, rate, seconds, cores()[1])
        reached = await asyncio.wrap_future(sending)
        await asyncio.sleep(2)
        await worker.stop()
    found = {"rate": round(reached)}
    for name, hop in (("gauge", "counters"), ("row", "store")):
        sample = sorted(ages.of[hop])
        found |= {f"{name}_p50": sample[len(sample) // 2], f"{name}_p99": sample[len(sample) * 99 // 100]}
    return found


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    result = asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
