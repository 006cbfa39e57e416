"""Event-time order, in memory and in runs on disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.ordered import in_event_time_order, time_of


@pytest.mark.parametrize(
    ("raw", "time"),
    [
        (b'{"time":5}', 5),
        (b'{"time":5,"received_time":9}', 5),
        (b'{"received_time":9}', 9),
        (b'{"time":"1970-01-01T00:00:01+00:00"}', 1_000),
        (b'{"time":null}', None),
        (b'{"time":"soon"}', None),
        (b"[5]", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_time_of(raw: bytes, time: int | None) -> None:
    assert time_of(raw) == time


hits = st.one_of(
    st.integers(0, 9).map(lambda time: b'{"time":%d}' % time),
    st.sampled_from([b"garbage with blanks", b"{}", b'{"time":3,"a":" 7 8 "}']),
)


@given(raws=st.lists(hits, max_size=30), run_hits=st.sampled_from([1, 2, 7, 100]))
def test_order(raws: list[bytes], run_hits: int) -> None:
    times, before = [], 0
    for raw in raws:
        before = json.loads(raw).get("time", before) if raw.startswith(b"{") else before
        times.append(before)
    with in_event_time_order(raws, run_hits=run_hits) as ordered:
        found = list(ordered.hits)
    assert found == sorted(zip(times, raws, strict=True), key=lambda timed: timed[0])
    assert ordered.total == len(raws)
    assert (ordered.first_ms, ordered.last_ms) == (min(times, default=0), max(times, default=0))
