"""The distributed form struck under load: the views are those of ``masir run`` that nothing disturbed, byte by byte.

Long form: ``python -m bench.faults_kafka --rounds 50``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults import shop_hits, undisturbed
from bench.faults_kafka import disturbed
from bench.kafka import Brokers
from tests.kafka_broker import running_brokers

from .kit import now_ms

HITS = 900
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with running_brokers(tmp_path_factory.mktemp("kafka"), 1) as brokers:
        yield brokers


@pytest.fixture(scope="module")
def hits() -> list[bytes]:
    return shop_hits(HITS, seed=3, now_ms=now_ms())


@pytest.fixture(scope="module")
def expected(hits: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return undisturbed(tmp_path_factory.mktemp("undisturbed") / "data", hits)


@pytest.mark.parametrize(
    ("fault", "rounds"),
    [
        ("kill -9 of a worker", 3),
        ("a worker frozen until it is a zombie", 1),
        ("a worker joins and leaves", 1),
        ("kill -9 of the store's worker", 1),
        ("kill -9 of the collector", 2),
        ("kill -9 of the broker", 1),
    ],
)
def test_nothing_is_lost_or_twice(
    brokers: Brokers, hits: list[bytes], expected: dict[str, bytes], tmp_path: Path, fault: str, rounds: int
) -> None:
    result = disturbed(tmp_path / "data", brokers, hits, fault, rounds=rounds, seed=3, expected=expected)
    assert result.hits == HITS
    assert result.is_well, result
