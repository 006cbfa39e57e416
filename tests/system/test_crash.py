"""``kill -9`` under load: nothing acknowledged is lost, nothing counts twice. Long form: ``make faults``."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from bench.faults import disturbed, shop_hits, undisturbed
from tests.forked import installed_masir

from .kit import now_ms

pytestmark = pytest.mark.timeout(600)
ROUNDS = 3
HITS = 900


@pytest.fixture(scope="module")
def hits() -> list[bytes]:
    return shop_hits(HITS, seed=3, now_ms=now_ms())


@pytest.fixture(scope="module")
def expected(hits: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with installed_masir():
        return undisturbed(tmp_path_factory.mktemp("crash") / "data", hits)


@pytest.mark.parametrize(
    ("fault", "rounds"), [("kill -9", ROUNDS), ("kill -9, and again while it starts", 1)]
)
def test_nothing_is_lost_or_twice(
    hits: list[bytes], expected: dict[str, bytes], tmp_path: Path, fault: str, rounds: int
) -> None:
    # A forked one takes hits too soon to be killed while it starts.
    with installed_masir() if fault.endswith("starts") else nullcontext():
        result = disturbed(tmp_path / "data", hits, fault, rounds=rounds, seed=3, expected=expected)
    assert result.hits == HITS
    assert result.is_well, result
