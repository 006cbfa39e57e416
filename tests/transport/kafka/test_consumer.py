"""What is handed out when, and which partitions are asked for their end; fetching itself is tested over a broker."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.transport.kafka.consumer import TICK_SECONDS, Consumer
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.partition import Partition

HITS, FACTS = TP("masir.hits", 0), TP("masir.facts", 0)


class Ends:
    """Of partitions, and which were asked for."""

    def __init__(self) -> None:
        self.asked: set[TP] = set()

    async def ends(self, tps: set[TP]) -> dict[TP, int]:
        self.asked |= tps
        return dict.fromkeys(tps, 0)


def record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=offset, key=bytes(8), value=b"v")


@pytest.fixture
def consumer() -> Any:
    """Of two partitions that are read, hits linger for an hour."""
    found: Any = Consumer.__new__(Consumer)
    partitions = {HITS: Partition(HITS, linger_seconds=3_600), FACTS: Partition(FACTS)}
    for one in partitions.values():
        one.start(0)
    owning = SimpleNamespace(partitions=partitions, is_held=lambda one: False)
    cluster = SimpleNamespace(names=Names("masir"))
    found.transport = SimpleNamespace(owning=owning, cluster=cluster, most_records=100, offsets=Ends())
    found._asking, found._generation = None, 0
    return found


def test_only_what_is_due_is_handed_out_and_the_rest_is_looked_at_when_it_is(consumer: Any) -> None:
    hits, facts = consumer.transport.owning.partitions.values()
    now = time.monotonic()
    hits.add([record(0)], 1, now - 3_600 + 0.2)
    facts.add([record(0), record(1)], 2, now)
    (handed,) = consumer._hand_out().items()
    assert (handed[0], [batch.offsets for batch in handed[1]]) == (FACTS, [[0, 1]])
    assert facts.in_hand is handed[1][0]
    assert consumer._due == pytest.approx(now + 0.2, abs=0.05)
    assert consumer._hand_out() == {}, "one at a time"


def test_with_nothing_fetched_it_looks_again_when_a_tick_may_be_due(consumer: Any) -> None:
    assert consumer._hand_out() == {}
    assert consumer._due == pytest.approx(time.monotonic() + TICK_SECONDS, abs=0.05)


def test_of_a_held_partition_ticks_are_dropped_and_records_kept(consumer: Any) -> None:
    _, facts = consumer.transport.owning.partitions.values()
    consumer.transport.owning.is_held = lambda one: True
    facts.has_tick = True
    assert consumer._hand_out() == {}
    assert not facts.has_tick
    facts.add([record(0)], 1, 0.0)
    assert consumer._hand_out() == {}
    assert len(facts.fetched) == 1


async def test_a_partition_whose_records_linger_is_not_asked_for_its_end(consumer: Any) -> None:
    hits, facts = consumer.transport.owning.partitions.values()
    hits.add([record(0)], 1, time.monotonic())
    consumer._start_asking()
    await asyncio.wait([consumer._asking])
    assert consumer.transport.offsets.asked == {FACTS}
    consumer._take_asked(consumer._asking)
    assert (hits.has_tick, facts.has_tick) == (False, True)
