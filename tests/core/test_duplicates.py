"""The same hit_id within 24 hours of event time is the same hit: against a naive list, and the edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.coded import Codes
from pipeline.core.duplicates import SeenIds, digests_of

DAY = 86_400_000
T = 1_767_268_800_000

ids = st.sampled_from(["a", "b", "c"])
times = st.integers(0, 4 * DAY) | st.sampled_from([0, 1, DAY - 1, DAY, DAY + 1, 2 * DAY])
hits = st.tuples(ids, times)


def take(seen: SeenIds, *of: tuple[str, int], since: int = 0, window: int = DAY) -> list[bool]:
    """Are these known? Visitor ann sends them in one batch."""
    digests = digests_of(Codes().of(["ann"] * len(of)), [one for one, _ in of])
    at = np.array([time for _, time in of], np.int64)
    found: list[bool] = seen.take(digests, at, window, np.full(len(of), since)).tolist()
    return found


def test_visitors_and_ids_are_told_apart() -> None:
    keys, names = ["ann", "bob", "ann", "an"], ["h", "h", "i", "nh"]
    assert len(set(digests_of(Codes().of(keys), names).tolist())) == 4
    assert digests_of(Codes().of(["ann"]), ["h"]) == digests_of(Codes().of(["ann"]), ["h"])


def test_the_window_is_24_hours_to_either_side_inclusive() -> None:
    for sign in (1, -1):
        for away, is_known in ((0, True), (DAY, True), (DAY + 1, False)):
            seen = SeenIds()
            assert take(seen, ("a", T)) == [False]
            assert take(seen, ("a", T + sign * away)) == [is_known]
            assert take(SeenIds(), ("a", T), ("a", T + sign * away)) == [False, is_known], "in one batch"
    assert take(seen, ("b", T)) == [False]


def test_what_is_older_than_since_is_unknown_even_if_it_is_still_there() -> None:
    for since, is_known in ((T, True), (T + 1, False)):
        seen = SeenIds()
        take(seen, ("a", T))
        assert take(seen, ("a", T), since=since) == [is_known]


def test_forgetting_is_the_same_edge_as_since() -> None:
    seen = SeenIds()
    take(seen, ("a", T), ("b", T + 1))
    seen.forget(T + 1)
    assert len(seen) == 1
    assert take(seen, ("a", T), ("b", T)) == [False, True]


@given(st.lists(st.lists(hits, max_size=8), max_size=12), st.sampled_from([0, 1_000, DAY]), times)
def test_batches_say_what_a_list_would_say(
    batches: list[list[tuple[str, int]]], window: int, since: int
) -> None:
    seen, accepted = SeenIds(), list[tuple[str, int]]()
    for batch in batches:
        expected = []
        for name, time in batch:
            known = any(name == one and at >= since and abs(at - time) <= window for one, at in accepted)
            expected.append(known)
            if not known:
                accepted.append((name, time))
        assert take(seen, *batch, since=since, window=window) == expected
    assert len(seen) == len(accepted)
    seen.forget(since)
    assert len(seen) == sum(at >= since for _, at in accepted)
