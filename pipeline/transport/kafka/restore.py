"""What a hop remembers of a partition, read back from its topic up to the last committed transaction.

To be called when no earlier owner can write any more. 200,000 records a second and more; the event loop is given a turn
after each fetch.
"""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.transport.kafka.memory import KafkaJournal, KafkaState, Memory
from pipeline.transport.kafka.names import Names, Store
from pipeline.transport.kafka.records import fetch

FETCH_BYTES = 8 * 1024**2
FETCH_SECONDS = 1.0
REQUEST_MS = 10_000


async def restore(store: Store, names: Names, partition: int, options: dict[str, Any]) -> Memory:
    """What a hop remembers under this name."""
    topic = names.topic(store.topic_name)
    records = await read_all(TopicPartition(topic, partition), options)
    return KafkaJournal(topic, records) if store.is_journal else KafkaState(topic, records)


async def read_all(source: TopicPartition, options: dict[str, Any]) -> list[Any]:
    """All records of the partition, in order."""
    found: list[Any] = []
    consumer = AIOKafkaConsumer(
        **options,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        request_timeout_ms=REQUEST_MS,
        check_crcs=False,  # of what the broker has checked when it came, over TCP
    )
    await consumer.start()
    try:
        consumer.assign([source])
        end = (await consumer.end_offsets([source]))[source]
        await consumer.seek_to_beginning(source)
        while await consumer.position(source) < end:
            batches = await fetch(consumer, {source}, seconds=FETCH_SECONDS, most=None)
            found += batches.get(source, ())
    finally:
        await consumer.stop()
    return found
