"""Records out of aiokafka's fetcher without a ``ConsumerRecord`` for each: that object costs more than decoding a hit.

What is read is what aiokafka would give: aborted transactions and control records are left out, positions move on as
they do there. Only the last step, wrapping each record, is left out.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult


async def fetch(
    consumer: AIOKafkaConsumer, partitions: set[TopicPartition], *, seconds: float, most: int | None
) -> dict[TopicPartition, list[Any]]:
    """About ``most`` records (offset, timestamp, key, value) of ``partitions``; waits until there are some."""
    fetcher = consumer._fetcher
    records: dict[TopicPartition, list[Any]] = await _take(fetcher, partitions, most)
    if not records:
        waiter = fetcher._create_fetch_waiter()
        await asyncio.wait([waiter], timeout=seconds)
        if waiter.done():
            waiter.result()  # raises what the fetcher cannot go on with
        else:
            waiter.cancel()
        records = await _take(fetcher, partitions, most)
    return records


async def _take(fetcher: Any, partitions: set[TopicPartition], most: int | None) -> Any:
    for result in fetcher._records.values():
        if type(result) is FetchResult and result.has_more():
            result._partition_records._consumer_record = _as_it_is
    return await fetcher.fetched_records(partitions, timeout=0, max_records=most)


def _as_it_is(_tp: TopicPartition, record: Any) -> Any:
    return record
