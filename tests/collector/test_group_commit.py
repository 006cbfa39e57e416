"""Requests share publishes: those of one turn, and those that arrive while one is under way."""

import asyncio

import pytest

from pipeline.collector.publisher import GroupCommit, Record, Unavailable

from .conftest import UNAVAILABLE, MemoryTopic


def _records(text: str) -> list[Record]:
    return [(b"", letter.encode()) for letter in text]


def _values(topic: MemoryTopic) -> list[bytes]:
    return [b"".join(value for _, value in records) for records in topic.publishes]


class _Counting(MemoryTopic):
    """Knows how many publishes are under way."""

    under_way = 0

    async def publish(self, records: list[Record]) -> None:
        self.under_way += 1
        try:
            await super().publish(records)
        finally:
            self.under_way -= 1


async def test_one_turn_is_one_publish_in_order() -> None:
    topic = MemoryTopic()
    commit = GroupCommit(topic, timeout_s=5)
    await asyncio.gather(*(commit.publish(_records(text)) for text in ("ab", "c", "de")))
    assert _values(topic) == [b"abcde"]


async def test_one_publish_at_a_time_and_what_comes_meanwhile_is_the_next() -> None:
    topic = _Counting()
    topic.gate.clear()
    commit = GroupCommit(topic, timeout_s=5)
    requests = []
    for text in ("a", "b", "c"):
        requests.append(asyncio.create_task(commit.publish(_records(text))))
        await asyncio.sleep(0.01)
        assert topic.under_way == 1
    assert commit.waiting == 2
    topic.gate.set()
    await asyncio.gather(*requests)
    assert _values(topic) == [b"a", b"bc"]
    assert commit.waiting == 0


async def test_failure_is_of_its_publish_alone() -> None:
    topic = MemoryTopic()
    topic.down = UNAVAILABLE
    commit = GroupCommit(topic, timeout_s=5)
    with pytest.raises(Unavailable):
        await commit.publish(_records("a"))
    topic.down = None
    await commit.publish(_records("b"))
    assert _values(topic) == [b"b"]


async def test_request_that_is_cancelled_takes_nobody_along() -> None:
    topic = MemoryTopic()
    topic.gate.clear()
    commit = GroupCommit(topic, timeout_s=5)
    first = asyncio.create_task(commit.publish(_records("a")))
    second = asyncio.create_task(commit.publish(_records("b")))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    topic.gate.set()
    await second
    assert first.cancelled()
    assert _values(topic) == [b"ab"]


async def test_publish_that_hangs_is_given_up_and_the_next_is_tried() -> None:
    topic = MemoryTopic()
    topic.gate.clear()
    commit = GroupCommit(topic, timeout_s=0.05)
    with pytest.raises(Unavailable):
        await commit.publish(_records("a"))
    topic.gate.set()
    await commit.publish(_records("b"))
    assert _values(topic) == [b"b"]
