"""The table of docs/capacity.md is the one that the figures give, and the arithmetic is what it says."""

import msgspec
import pytest

from bench.capacity import BEGIN, BUSY, DOCUMENT, END, MOST_PARTITIONS, RATES, plan, table
from bench.footprint import Footprint, read
from schemas.topics import TOPICS

COST = Footprint(
    measured="2026-01-01", hits=1, worker_us=10.0, store_us=5.0, store_bytes=100.0, visitor_bytes=1_000.0,
    collector_rate=10_000.0, topic_bytes={"hits": 300.0, "sessions": 50.0},
)  # fmt: skip


def test_the_document_has_the_table_of_the_figures() -> None:
    text = DOCUMENT.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    written = text.partition(BEGIN)[2].partition(END)[0]
    assert written == table(read()), "python -m bench.capacity --write"


def test_figures_are_of_topics_that_exist() -> None:
    assert read().topic_bytes.keys() <= {topic.name for topic in TOPICS}


def test_a_load_needs_what_its_hits_cost() -> None:
    made = plan(1_000_000, COST)
    assert made.workers == 1_000_000 * 10e-6 / BUSY
    assert made.partitions == 2 * made.workers
    assert made.collectors == 200
    assert made.store_cores == 10
    assert made.kafka_written == 1_000_000 * 350 * 3
    assert made.kafka_disk == pytest.approx(1_000_000 * 350 * 3 * 86_400), "both are kept for a day"
    assert made.store_disk == 1_000_000 * 86_400 * 30 * 100
    assert made.worker_memory == 1_000_000 * 86_400 / 10 * 1_000 / made.workers
    assert made.worker_memory_short == pytest.approx(made.worker_memory / 24)


def test_a_small_load_has_a_spare() -> None:
    made = plan(10, COST)
    assert (made.workers, made.collectors, made.partitions) == (2, 2, 4)


def test_more_partitions_than_there_can_be_are_said() -> None:
    heavy = msgspec.structs.replace(COST, worker_us=100.0)
    assert plan(RATES[-1], heavy).partitions > MOST_PARTITIONS
    assert "several clusters" in table(heavy)
    assert "several clusters" not in table(COST)
