"""The synthetic load: exact counts, order, and sessions that stay apart."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.decode import KnownHit, decode
from pipeline.demo.simulator import load_stream


@given(seed=st.integers(), visitors=st.integers(1, 40), hits=st.integers(0, 300))
def test_counts_are_exact_and_times_ascend(seed: int, visitors: int, hits: int) -> None:
    stream = [decode(raw) for raw in load_stream(seed=seed, visitors=visitors, hits=hits)]
    assert all(type(hit) is KnownHit for hit in stream)
    assert len(stream) == hits
    assert len({hit.visitor_id for hit in stream}) == min(visitors, hits)
    assert len({hit.hit_id for hit in stream}) == hits
    assert [hit.time for hit in stream] == sorted(hit.time for hit in stream)


def test_visits_are_interleaved_and_sessions_stay_apart() -> None:
    times = defaultdict(list)
    order = []
    for raw in load_stream(seed=3, visitors=500, hits=20_000):
        hit = decode(raw)
        times[hit.visitor_id].append(hit.time)
        order.append(hit.visitor_id)
    gaps = [b - a for own in times.values() for a, b in pairwise(own)]
    assert {gap > 1_800_000 for gap in gaps} == {True, False}
    assert not [gap for gap in gaps if 480_000 < gap < 3_000_000]
    changes = sum(a != b for a, b in pairwise(order))
    assert changes > 0.8 * len(order)


def test_same_seed_same_bytes() -> None:
    first, again, other = (list(load_stream(seed=seed, visitors=20, hits=200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_size_of_a_hit() -> None:
    sizes = [len(raw) for raw in load_stream(seed=1, visitors=1_000, hits=8_000)]
    assert 340 <= sum(sizes) / len(sizes) <= 380


@pytest.mark.parametrize(("visitors", "hits"), [(0, 1), (1, -1)])
def test_impossible_counts(visitors: int, hits: int) -> None:
    with pytest.raises(ValueError, match="visitors must be at least 1"):
        list(load_stream(seed=1, visitors=visitors, hits=hits))
