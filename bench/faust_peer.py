"""Plain Faust against a real Kafka: fills the topic, then runs :mod:`bench.plain_faust`, one process per
job.
"""

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from zlib import crc32

import msgspec
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]

from bench.faust_records import HITS_TOPIC, PARTITIONS
from bench.plain_faust import topics
from bench.process import Measure, run_module

TIMEOUT_S = 300


class _Visitor(msgspec.Struct):
    visitor_id: str


def fill(address: str, path: Path, hits: int) -> None:
    """Send the first ``hits`` lines of the file to the topic, keyed by visitor as a tracker would."""
    with path.open("rb") as lines:
        asyncio.run(_produce(address, islice(lines, hits)))


def measure(address: str, job: str, hits: int) -> Measure:
    """Run one job over the filled topic."""
    return run_module("bench.plain_faust", address, job, str(hits), timeout_s=TIMEOUT_S)


async def _produce(address: str, lines: Iterable[bytes]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in topics()])
    finally:
        await admin.close()
    decode = msgspec.json.Decoder(_Visitor).decode
    sent: list[asyncio.Future[object]] = []
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's first batches are tried again
    async with AIOKafkaProducer(bootstrap_servers=address, max_batch_size=262_144, linger_ms=20) as producer:
        for line in lines:
            key = decode(line).visitor_id.encode()
            partition = crc32(key) % PARTITIONS
            sent.append(await producer.send(HITS_TOPIC, line.rstrip(), key=key, partition=partition))
        await asyncio.gather(*sent)
