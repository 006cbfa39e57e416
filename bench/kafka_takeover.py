"""How long nobody works on a partition when a worker is gone: from the start of the next one to its first commit.

``python -m bench.kafka_takeover ADDRESS VISITORS``: so many visitors are in the state, two hits each; the worker that
made it leaves, hits come, another worker starts with nothing. Prints one JSON object: seconds until the first of the
new hits is committed, until all partitions are. What comes on top when a worker is killed is
the setting ``worker_lost_seconds``.
"""

import asyncio
import logging
import sys
import tempfile
import time
from itertools import islice

import msgspec

from agents.worker import Worker
from bench import stream
from bench.cluster import STEPS
from bench.kafka_fill import fill, settings_of
from bench.kafka_job import consumed, ready

HITS_PER_VISITOR = 2
NEW_HITS = 4_000


async def run(address: str, visitors: int) -> dict[str, float]:
    """The figures, by name."""
    hits = stream.rounds(visitors=visitors, hits_per_visitor=HITS_PER_VISITOR)
    with tempfile.TemporaryDirectory() as data:
        settings = settings_of(address, data)
        await fill(settings, (line.rstrip() for line in islice(hits, visitors * HITS_PER_VISITOR)))
        first = Worker(settings)
        await first.start()
        await ready(first.transport)
        for step in STEPS:
            await consumed(first.transport, step)
        await first.stop()
        await fill(settings, (line.rstrip() for line in islice(hits, NEW_HITS)))
        return await take_over(Worker(settings))


async def take_over(worker: Worker) -> dict[str, float]:
    """Start it, and look when it has committed something in ``hits``."""
    began = time.monotonic()
    await worker.start()
    joined = time.monotonic() - began
    owned, first = worker.transport.owning.partitions, 0.0
    before: dict[object, int] = {}
    while True:
        hits = {tp: one for tp, one in owned.items() if tp.topic.endswith(".hits") and one.is_ready}
        for tp, one in hits.items():
            before.setdefault(tp, one.committed)
        moved = [tp for tp, one in hits.items() if one.committed > before[tp]]
        if moved and not first:
            first = time.monotonic() - began
        if len(moved) == worker.settings.partitions:
            break
        await asyncio.sleep(0.005)
    every = time.monotonic() - began
    await worker.stop()
    return {"joined": joined, "first_hit": first, "every_partition": every}


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    result = asyncio.run(run(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
