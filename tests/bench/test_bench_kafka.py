"""The jobs over Kafka measure what they say, on a real broker."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import kafka_job, stream
from bench.kafka_fill import hidden, settings_of
from bench.kafka_job import UnfinishedError, run, work
from pipeline.transport.kafka.names import Names

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
HITS = 3_000


@pytest.fixture(scope="module")
def hits() -> list[bytes]:
    return list(islice(stream.rounds(visitors=500, hits_per_visitor=6), HITS))


async def seen(address: str, topic: str, partitions: int) -> int:
    """Records before the first that is not committed, transactions' markers included."""
    async with AIOKafkaConsumer(bootstrap_servers=address, isolation_level="read_committed") as consumer:
        found = await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
    return sum(found.values())


async def test_hits_are_seen_all_together(broker: str, hits: list[bytes]) -> None:
    settings = settings_of(broker, "unused")
    at = broker, Names(settings.broker_prefix).topic("hits"), settings.partitions
    async with hidden(settings, hits) as show:
        assert await seen(*at) == 0
        await show()
    async with asyncio.timeout(120):
        while await seen(*at) < HITS:  # what is committed can be read a moment later
            await asyncio.sleep(0.05)


async def test_the_whole_job_is_measured_or_nothing_is(
    broker: str, hits: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = await run(settings_of(broker, str(tmp_path / "whole"), partitions=2), hits)
    assert measure.hits == HITS
    assert measure.cpu_seconds / HITS > 5e-6, "no machine does it in less"

    async def forgotten() -> None:
        """The hits do not come into sight."""

    monkeypatch.setattr(kafka_job, "STEPS", ())  # and nothing is waited for
    settings = settings_of(broker, str(tmp_path / "nothing"), partitions=2)
    async with hidden(settings, hits):
        with pytest.raises(UnfinishedError, match=f"0 of {HITS} hits"):
            await work(settings, HITS, forgotten)
