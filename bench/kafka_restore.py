"""How fast a worker reads back what a hop remembers by key: ``python -m bench.kafka_restore ADDRESS RECORDS``.

So many rows of a person's size are written to the topic of one partition's state, in transactions as a worker writes
them, and restored: once with room for all of them in memory, once with room for a tenth, where the others go to disk.
Prints one JSON object: records a second of wall time and of CPU time, and the memory of the process in the end.
"""

import asyncio
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from aiokafka import TopicPartition  # type: ignore[import-untyped]

from bench.kafka_fill import fill, settings_of
from bench.process import Stopwatch
from pipeline.core.persons.fold import Items
from pipeline.core.persons.items import Visit
from pipeline.core.persons.person import Person
from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.memory import KafkaState
from pipeline.transport.kafka.names import STORES, Names
from pipeline.transport.kafka.restore import restore
from pipeline.transport.kafka.transactions import Transactions
from pipeline.transport.rows import Cold

STORE = next(store for store in STORES if store.name == "persons")
UNIT = 5_000  # rows of a unit of work
VISITS = 3
_RESIDENT = 1  # place in /proc/self/statm, pages
SHARE = 10  # one row in so many fits into the memory the second time


def person(number: int) -> bytes:
    """Some visits."""
    start = 1_767_225_600_000 + number
    visits = [Visit(start + n, start, f"{number:032x}", "organic_search", False) for n in range(VISITS)]
    return msgspec.msgpack.encode(Person(items=Items(visits)))


async def write(settings: Settings, count: int) -> None:
    """The topics, and the rows of partition 0."""
    await fill(settings, [])
    names, bare = Names(settings.broker_prefix), STORE.topic.name
    one = Transactions(
        TopicPartition(names.topic(bare), 0),
        transactional_id=names.transactional_id(bare, 0),
        group=names.group,
        options=client_options(settings),
        on_commit=lambda _: None,
        on_lost=lambda error: logging.error("%r", error),
    )
    await one.start()
    state = KafkaState(names.topic(STORE.topic_name))
    for first in range(0, count, UNIT):
        for number in range(first, min(first + UNIT, count)):
            state[f"load\x1fvisitor-{number * 2654435761 % (1 << 32):08x}{number:08x}"] = person(number)
        await one.submit({}, [state], None)
    await one.drain()
    await one.close()


def read(settings: Settings, most: int) -> dict[str, float]:
    """In a process of its own: restore, with room for so many rows."""
    with tempfile.TemporaryDirectory() as directory, Stopwatch() as stopwatch:
        cold = Cold(Path(directory), most)
        names, options = Names(settings.broker_prefix), client_options(settings)
        state = asyncio.run(restore(STORE, names, 0, options, cold))
        assert isinstance(state, KafkaState)
        count = len(state)
    found = stopwatch.measure(count)
    pages = int(Path("/proc/self/statm").read_text().split()[_RESIDENT])
    return {
        "records": count,
        "records_per_second": round(found.rate),
        "records_per_cpu_second": round(found.cpu_rate),
        "resident_mib": pages * resource.getpagesize() >> 20,
    }


def main(address: str, count: int) -> dict[str, dict[str, float]]:
    """The figures of both."""
    settings = settings_of(address, "unused")
    asyncio.run(write(settings, count))
    time.sleep(1)  # markers of transactions
    found = {}
    for name, most in (("all in memory", count), (f"one in {SHARE} in memory", count // SHARE)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(read, (settings, most))
    return found


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's first batches are tried again
    result = main(sys.argv[1], int(sys.argv[2]))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
