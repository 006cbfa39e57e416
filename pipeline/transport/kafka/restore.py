"""What a hop remembers of a partition, read back from its topic up to the last committed transaction.

To be called when no earlier owner can write any more. 200,000 records a second and more; the event loop is given a turn
after each fetch.
"""

from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition

from pipeline.transport.kafka.connection import Consumer, start
from pipeline.transport.kafka.memory import KafkaJournal, KafkaState, Memory
from pipeline.transport.kafka.names import Names, Store
from pipeline.transport.kafka.records import fetch
from pipeline.transport.rows import Cold, rows_of

FETCH_BYTES = 8 * 1024**2
FETCH_SECONDS = 1.0
REQUEST_MS = 10_000


def _never() -> None:
    """Nobody else can get the partition meanwhile."""


async def restore(
    store: Store,
    names: Names,
    partition: int,
    options: dict[str, Any],
    cold: Cold | None = None,
    check: Callable[[], None] = _never,
) -> Memory:
    """What a hop remembers under this name. By key it is never in memory as a whole.

    ``check`` raises when the partition is another worker's by now: then no more of it is read.
    """
    topic = names.topic(store.topic_name)
    source = TopicPartition(topic, partition)
    if store.is_journal:
        return KafkaJournal(topic, await read_all(source, options, check))
    state = KafkaState(topic, rows=rows_of(store.name, cold))
    await read(source, options, state.take_up, check)
    state.taken_up()
    return state


async def read_all(
    source: TopicPartition, options: dict[str, Any], check: Callable[[], None] = _never
) -> list[Any]:
    """All records of the partition, in order."""
    found: list[Any] = []
    await read(source, options, found.extend, check)
    return found


async def read(
    source: TopicPartition,
    options: dict[str, Any],
    take: Callable[[list[Any]], None],
    check: Callable[[], None] = _never,
) -> None:
    """All records of the partition, in order, some at a time."""
    consumer = Consumer(
        **options,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        request_timeout_ms=REQUEST_MS,
        check_crcs=False,  # of what the broker has checked when it came, over TCP
    )
    await start(consumer)
    try:
        consumer.assign([source])
        end = (await consumer.end_offsets([source]))[source]
        await consumer.seek_to_beginning(source)
        while await consumer.position(source) < end:
            check()
            batches = await fetch(consumer, {source}, seconds=FETCH_SECONDS, most=None)
            take(batches.get(source, []))
    finally:
        await consumer.stop()
