"""What a worker has of a partition: what is fetched is gathered; batches of before a rebalance, or of a lost one, are
not begun.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.transport.kafka.partition import MOST_BYTES, KafkaBatch, Partition
from pipeline.transport.kafka.transactions import PartitionLostError

MOST = 5


def records(first: int, end: int, size: int = 1) -> list[Any]:
    """As the consumer gives them: of these offsets, each of so many bytes."""
    return [SimpleNamespace(offset=offset, value=b"v" * size) for offset in range(first, end)]


def offsets(taken: list[Any]) -> list[int]:
    return [record.offset for record in taken]


def test_fetches_are_gathered_into_one_batch() -> None:
    one = Partition(TP("facts", 0))
    one.add(records(0, 2), 2, now=10.0)
    one.add(records(2, 4), 5, now=11.0)
    taken, next_offset = one.take(MOST)
    assert (offsets(taken), next_offset) == ([0, 1, 2, 3], 5), "offset 4 was a transaction's marker"
    assert one.due(MOST) is None, "all is taken"


def test_a_batch_has_no_more_than_that_many_records_and_the_next_begins_behind_them() -> None:
    one = Partition(TP("facts", 0))
    one.add(records(0, 7), 9, now=10.0)
    assert one.is_full(MOST)
    assert [(offsets(taken), end) for taken, end in (one.take(MOST), one.take(MOST))] == [
        ([0, 1, 2, 3, 4], 5),
        ([5, 6], 9),
    ]


def test_what_was_fetched_already_is_not_taken_twice() -> None:
    one = Partition(TP("facts", 0))
    one.add(records(0, 3), 3, now=10.0)
    one.add(records(1, 4), 4, now=10.0)
    assert offsets(one.take(MOST)[0]) == [0, 1, 2, 3]


def test_a_batch_lingers_from_its_first_record_on() -> None:
    one = Partition(TP("facts", 0), linger_seconds=0.5)
    assert one.due(MOST) is None
    one.add([], 1, now=9.0)
    assert one.due(MOST) is None, "a marker is nothing to hand out"
    one.add(records(1, 2), 2, now=10.0)
    one.add(records(2, 3), 3, now=10.4)
    assert one.due(MOST) == 10.5
    one.take(MOST)
    one.add(records(3, 4), 4, now=20.0)
    assert one.due(MOST) == 20.5


def test_a_full_batch_is_due_at_once_by_records_or_by_bytes() -> None:
    one = Partition(TP("facts", 0), linger_seconds=0.5)
    one.add(records(0, MOST - 1), MOST - 1, now=10.0)
    assert (one.is_full(MOST), one.due(MOST)) == (False, 10.5)
    one.add(records(MOST - 1, MOST), MOST, now=10.0)
    assert (one.is_full(MOST), one.due(MOST)) == (True, 0.0)
    one.take(MOST)
    one.add(records(MOST, MOST + 2, MOST_BYTES // 2), MOST + 2, now=10.0)
    assert (one.is_full(MOST), one.due(MOST)) == (True, 0.0)
    one.take(MOST)
    assert not one.is_full(MOST)


def test_a_tick_is_due_at_once_and_void_when_records_come() -> None:
    one = Partition(TP("facts", 0), linger_seconds=0.5)
    one.has_tick = True
    assert one.due(MOST) == 0.0
    one.add(records(0, 1), 1, now=10.0)
    assert (one.has_tick, one.due(MOST)) == (False, 10.5)
    one.take(MOST)
    one.has_tick = True
    assert one.take(MOST) == ([], 1)
    assert one.due(MOST) is None, "it is handed out once"


def test_nothing_is_due_before_hop_and_transaction_are_done_with_the_batches_before() -> None:
    one = Partition(TP("facts", 0))
    one.add(records(0, 1), 1, now=10.0)
    batch = handed_out(one)
    assert one.due(MOST) is None
    one.release(batch)
    one.transactions = transactions = SimpleNamespace(is_behind=True)  # type: ignore[assignment]
    assert one.due(MOST) is None
    transactions.is_behind = False  # type: ignore[union-attr]
    assert one.due(MOST) == 10.0


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
    one.add(records(5, 8), 8, now=10.0)
    one.has_tick = True
    one.rewind()
    assert not one.begin(batch)
    assert not one.release(batch)
    assert (one.position, one.fetched, one.due(MOST)) == (3, [], None), (
        "it is read again from what is committed"
    )
    assert not one.is_full(MOST)
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
