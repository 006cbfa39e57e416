"""What a worker has of a partition: batches of before a rebalance, or of a lost one, are not begun."""

import asyncio

import pytest
from faust.types import TP

from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.transactions import PartitionLostError


def handed_out(one: Partition, next_offset: int = 5) -> KafkaBatch:
    one.position = next_offset
    one.in_hand = KafkaBatch("facts", 0, [b"v"], [0], [4], next_offset, False, False, lambda _: None, one)
    return one.in_hand


def test_the_batch_in_hand_is_begun_and_released() -> None:
    one = Partition(TP("facts", 0))
    batch = handed_out(one)
    assert one.begin(batch)
    one.end()
    assert one.release(batch)
    assert not one.release(batch), "once"


def test_after_a_rebalance_what_was_fetched_before_is_not_begun() -> None:
    one = Partition(TP("facts", 0))
    one.committed = 3
    batch = handed_out(one)
    one.waiting.append(batch)
    one.rewind()
    assert not one.begin(batch)
    assert not one.release(batch)
    assert (one.position, list(one.waiting)) == (3, []), "it is read again from what is committed"
    assert one.begin(handed_out(one))


def test_of_a_lost_partition_nothing_is_begun() -> None:
    one = Partition(TP("facts", 0))
    batch = handed_out(one)
    one.is_lost = True
    assert not one.begin(batch)
    with pytest.raises(PartitionLostError):
        one.check()


async def test_to_settle_is_to_wait_for_the_batch_that_is_begun() -> None:
    one = Partition(TP("facts", 0))
    await one.settle()
    one.begin(handed_out(one))
    settling = asyncio.create_task(one.settle())
    await asyncio.sleep(0.01)
    assert not settling.done()
    one.end()
    await settling
