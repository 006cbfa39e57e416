"""The same hit_id within 24 hours of event time is the same hit: against a naive list, and the edges."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.duplicates import digest, earliest, forget, is_known, remember

DAY = 86_400_000
T = 1_767_268_800_000

# Few digests, and such as are found at places where no record begins.
digests = st.sampled_from([bytes(8), b"\0" * 7 + b"\1", b"\1" + b"\0" * 7, digest("a"), digest("b")])
times = st.integers(0, 4 * DAY) | st.sampled_from([0, 999, 1_000, DAY, DAY + 999, DAY + 1_000])


def test_a_digest_is_8_bytes_and_tells_ids_apart() -> None:
    assert len(digest("a")) == len(digest("x" * 64)) == 8
    assert digest("a") == digest("a") != digest("b")


def test_the_window_is_24_hours_to_either_side_inclusive_to_the_second() -> None:
    seen = remember(b"", digest("a"), T)
    for sign in (1, -1):
        assert is_known(seen, digest("a"), T + sign * DAY, DAY)
        assert not is_known(seen, digest("a"), T + sign * (DAY + 1_000), DAY)
    assert is_known(seen, digest("a"), T + DAY + 999, DAY), "times are kept in seconds"
    assert not is_known(seen, digest("b"), T, DAY)
    assert not is_known(b"", digest("a"), T, DAY)


def test_what_is_older_than_since_is_unknown_even_if_it_is_still_there() -> None:
    seen = remember(b"", digest("a"), T)
    assert is_known(seen, digest("a"), T, DAY, since=T)
    assert is_known(seen, digest("a"), T, DAY, since=T + 999)
    assert not is_known(seen, digest("a"), T, DAY, since=T + 1_000)


def test_forgetting_is_the_same_edge_as_since() -> None:
    seen = remember(remember(b"", digest("a"), T), digest("b"), T + 1_000)
    assert forget(seen, T + 999) == seen
    assert forget(seen, T + 1_000) == remember(b"", digest("b"), T + 1_000)
    assert forget(seen, T + 2_000) == b""


@given(
    st.lists(st.tuples(digests, times), max_size=20), digests, times, st.sampled_from([0, 1_000, DAY]), times
)
def test_the_bytes_say_what_a_list_would_say(
    records: list[tuple[bytes, int]], wanted: bytes, time: int, window: int, since: int
) -> None:
    seen = b""
    for one, at in records:
        seen = remember(seen, one, at)
    assert len(seen) == 12 * len(records)
    seconds = [(one, at // 1000) for one, at in records]
    expected = any(
        one == wanted and second >= since // 1000 and abs(second - time // 1000) * 1000 <= window
        for one, second in seconds
    )
    assert is_known(seen, wanted, time, window, since) == expected
    assert is_known(forget(seen, since), wanted, time, window, since) == expected, (
        "forgetting changes no answer"
    )
    kept = [at // 1000 * 1000 for _, at in records if at // 1000 >= since // 1000]
    assert len(forget(seen, since)) == 12 * len(kept)
    if kept:
        assert earliest(forget(seen, since)) == min(kept)
