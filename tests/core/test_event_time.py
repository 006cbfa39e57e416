"""Event time: each rule at its boundary, and against a plain reading of the contract."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.event_time import END_OF_TIME_MS, UNKNOWN_MS, Time, column_of, event_times, to_ms

T = 1_700_000_000_000


def event_time(time: Time | None, sent: Time | None, received: Time | None) -> tuple[int, bool] | None:
    """Of one hit, in the middle of a column of others."""
    columns = [column_of([T, given, None]) for given in (time, sent, received)]
    found, clamped = event_times(*columns)
    return None if found[1] == UNKNOWN_MS else (int(found[1]), bool(clamped[1]))


@pytest.mark.parametrize(
    ("time", "sent", "received", "found"),
    [
        (T, T, T + 5_000, (T, False)),
        (T, T, T + 5_001, (T + 5_001, False)),
        (T, T, T - 5_000, (T, False)),
        (T, T, T - 5_001, (T - 5_001, False)),
        (T - 90_000, T, T + 86_400_000, (T + 86_400_000 - 90_000, False)),
        (T + 60_000, None, T, (T + 60_000, False)),
        (T + 60_001, None, T, (T, True)),
        (T + 60_000, T, T, (T + 60_000, False)),
        (T + 60_001, T, T, (T, True)),
        (T + 6_000 + 60_000, T + 6_000, T, (T + 60_000, False)),
        (T + 6_000 + 60_001, T + 6_000, T, (T, True)),
        (T - 86_400_000, None, T, (T - 86_400_000, False)),
        (None, None, T, (T, False)),
        (None, T - 9_000, T, (T, False)),
        (T, None, None, (T, False)),
        (T, T + 9_000, None, (T, False)),
        (None, None, None, None),
        (None, T, None, None),
        (0, None, None, (0, False)),
        (-1, None, None, None),
        (1_000, 7_000, 1_999, None),
        (END_OF_TIME_MS - 1, None, None, (END_OF_TIME_MS - 1, False)),
        (END_OF_TIME_MS, None, None, None),
        (10**30, None, T, (T, True)),
        (None, None, END_OF_TIME_MS, None),
    ],
)
def test_boundaries(
    time: int | None, sent: int | None, received: int | None, found: tuple[int, bool] | None
) -> None:
    assert event_time(time, sent, received) == found


def test_end_of_time_is_the_year_2100() -> None:
    assert to_ms(datetime(2100, 1, 1, tzinfo=UTC)) == END_OF_TIME_MS


def test_datetime_of_any_zone_is_utc() -> None:
    tehran = timezone(timedelta(hours=3, minutes=30))
    assert to_ms(datetime(1970, 1, 1, 3, 30, 1, 2_000, tzinfo=tehran)) == 1_002
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == -1


def test_part_of_a_millisecond_is_rounded_down() -> None:
    assert to_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1


NEAR = st.none() | st.integers(T - 200_000, T + 200_000)


def as_datetime(ms: int | None) -> datetime | None:
    return None if ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


@given(NEAR, NEAR, NEAR)
def test_datetimes_and_numbers_say_the_same(time: int | None, sent: int | None, received: int | None) -> None:
    numbers = event_time(time, sent, received)
    assert event_time(as_datetime(time), as_datetime(sent), as_datetime(received)) == numbers


def by_the_contract(time: int | None, sent: int | None, received: int | None) -> tuple[int, bool] | None:
    known = [value for value in (time, sent, received) if value is not None]
    shift = 0
    if len(known) == 3 and abs(known[2] - known[1]) > 5_000:
        shift = known[2] - known[1]
    candidate = received if time is None else time + shift
    if candidate is None:
        return None
    ahead = received is not None and candidate - received > 60_000
    chosen = received if ahead else candidate
    return (chosen, ahead) if chosen is not None and 0 <= chosen <= 4_102_444_799_999 else None


@given(NEAR, NEAR, NEAR)
@example(T, T, T + 5_001)
@example(T + 66_001, T + 6_000, T)
def test_equals_the_contract(time: int | None, sent: int | None, received: int | None) -> None:
    assert event_time(time, sent, received) == by_the_contract(time, sent, received)


@given(st.integers(), st.none() | st.integers(), st.integers(0, END_OF_TIME_MS - 60_001))
def test_no_clock_moves_a_hit_past_its_receipt(time: int, sent: int | None, received: int) -> None:
    found = event_time(time, sent, received)
    assert found is None or 0 <= found[0] <= received + 60_000
