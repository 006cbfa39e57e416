"""Plain Faust against a real Kafka: :mod:`bench.plain_faust`, one process per job, over the topic that Masir's own job
has filled.
"""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]

from bench.faust_records import PARTITIONS
from bench.plain_faust import topics
from bench.process import Measure, run_module

TIMEOUT_S = 300


def prepare(address: str) -> None:
    """Make the topics that the jobs write to."""
    asyncio.run(_create(address))


def measure(address: str, job: str, hits: int) -> Measure:
    """Run one job over the first hits of the filled topic."""
    return run_module("bench.plain_faust", address, job, str(hits), timeout_s=TIMEOUT_S)


async def _create(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in topics()])
    finally:
        await admin.close()
