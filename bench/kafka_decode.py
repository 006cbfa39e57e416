"""Bare reading: what aiokafka's ``getmany`` gives of the topic ``hits``, decoded to :class:`schemas.hit.Hit`, nothing
else. The ceiling of any job over Kafka in one Python process.

``python -m bench.kafka_decode ADDRESS FILE HITS``. The clock runs from the first records to the last.
"""

import asyncio
import logging
import sys
from itertools import islice
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from msgspec.json import Decoder

from bench.kafka_job import fill, settings_of
from bench.process import Measure, Stopwatch, emit
from pipeline.transport.kafka.names import Names
from schemas.hit import Hit
from schemas.topics import HITS

MOST_RECORDS = 5_000


async def run(address: str, path: Path, hits: int) -> Measure:
    """Fill, then read."""
    settings = settings_of(address, "unused")
    with path.open("rb") as lines:
        count = await fill(settings, (line.rstrip() for line in islice(lines, hits)))
    topic, decode, read = Names(settings.broker_prefix).topic(HITS.name), Decoder(Hit).decode, 0
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(settings.partitions)])
    with Stopwatch() as stopwatch:
        while read < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=MOST_RECORDS)).values():
                for record in records:
                    decode(record.value)
                read += len(records)
    await consumer.stop()
    return stopwatch.measure(count)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's first batches are tried again
    emit(asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
