"""Records out of aiokafka's fetcher without a ``ConsumerRecord`` for each: that object costs more than decoding a hit.

What is read is what aiokafka would give: aborted transactions and control records are left out, positions move on as
they do there. Only the last step, wrapping each record, is left out.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult


def always() -> bool:
    """No rebalance can come in between."""
    return True


async def fetch(
    consumer: AIOKafkaConsumer,
    partitions: set[TopicPartition],
    *,
    seconds: float,
    most: int | None,
    is_wanted: Callable[[], bool] = always,
) -> dict[TopicPartition, list[Any]]:
    """About ``most`` records (offset, timestamp, key, value) of ``partitions``; waits until there are some.

    ``is_wanted``: asked right before positions move on. A fetch that is still waiting when a rebalance comes must not
    take records that nobody will look at.
    """
    fetcher = consumer._fetcher
    records: dict[TopicPartition, list[Any]] = await _take(fetcher, partitions, most, is_wanted)
    if not records:
        waiter = fetcher._create_fetch_waiter()
        await asyncio.wait([waiter], timeout=seconds)
        if waiter.done():
            waiter.result()  # raises what the fetcher cannot go on with
        else:
            waiter.cancel()
        records = await _take(fetcher, partitions, most, is_wanted)
    return records


async def _take(
    fetcher: Any, partitions: set[TopicPartition], most: int | None, is_wanted: Callable[[], bool]
) -> Any:
    """Without waiting for anything, so that nothing comes between the question and the taking."""
    if fetcher._subscriptions.reassignment_in_progress or not is_wanted():
        return {}
    for result in fetcher._records.values():
        if type(result) is FetchResult and result.has_more():
            result._partition_records._consumer_record = _as_it_is
    return await fetcher.fetched_records(partitions, timeout=0, max_records=most)


def _as_it_is(_tp: TopicPartition, record: Any) -> Any:
    return record
