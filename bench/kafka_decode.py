"""Bare reading: what aiokafka's ``getmany`` gives of the topic ``hits``, decoded to :class:`schemas.hit.Hit`, nothing
else. The ceiling of any job over Kafka in one Python process.

``python -m bench.kafka_decode ADDRESS PREFIX HITS`` reads the first hits of the topic that ``bench.kafka_job`` has
filled under that prefix. The clock runs from the first records to the last.
"""

import asyncio
import logging
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from msgspec.json import Decoder

from bench.kafka_fill import settings_of
from bench.process import Measure, Stopwatch, emit
from pipeline.transport.kafka.names import Names
from schemas.hit import Hit
from schemas.topics import HITS

MOST_RECORDS = 5_000


async def run(address: str, prefix: str, hits: int) -> Measure:
    """Read so many."""
    settings = settings_of(address, "unused", broker_prefix=prefix)
    topic, decode, read = Names(prefix).topic(HITS.name), Decoder(Hit).decode, 0
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(settings.partitions)])
    with Stopwatch() as stopwatch:
        while read < hits:
            most = min(MOST_RECORDS, hits - read)
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=most)).values():
                for record in records:
                    decode(record.value)
                read += len(records)
    await consumer.stop()
    return stopwatch.measure(read)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    emit(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
