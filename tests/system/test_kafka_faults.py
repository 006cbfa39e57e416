"""The distributed form struck under load: the views are those of ``masir run`` that nothing disturbed, byte by byte.

Long form: ``python -m bench.faults_kafka --rounds 50``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults import shop_hits, undisturbed
from bench.faults_kafka import FAULTS, disturbed
from bench.kafka import Brokers
from tests.forked import installed_masir
from tests.kafka_broker import running_brokers

from .kit import now_ms

HITS = 900
PARTITIONS = 3  # one for each worker while there is one more
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    with running_brokers(tmp_path / "kafka", 1) as brokers:
        yield brokers


@pytest.mark.slow
def test_nothing_is_lost_or_twice(brokers: Brokers, tmp_path: Path) -> None:
    hits = shop_hits(HITS, seed=3, now_ms=now_ms())
    with installed_masir():
        expected = undisturbed(tmp_path / "undisturbed", hits)
    result = disturbed(
        tmp_path / "data", brokers, hits, list(FAULTS), seed=3, expected=expected, partitions=PARTITIONS
    )
    assert result.hits == HITS
    assert result.is_well, result
