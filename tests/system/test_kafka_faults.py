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


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [
        (
            "kill -9 of a worker",
            "a worker joins and leaves",
            "kill -9 of the store's worker",
            "kill -9 of the collector",
        ),
        ("a worker frozen until it is a zombie", "kill -9 of the broker"),
    ],
    ids=["who comes and goes", "who is away for long"],
)
def test_nothing_is_lost_or_twice(
    brokers: Brokers, hits: list[bytes], expected: dict[str, bytes], tmp_path: Path, faults: tuple[str, ...]
) -> None:
    result = disturbed(tmp_path / "data", brokers, hits, faults, seed=3, expected=expected)
    assert result.hits == HITS
    assert result.is_well, result
