"""Event time: when a hit happened, made safe against clients' clocks. Milliseconds since the epoch, UTC.

1. Where ``time``, ``sent_time`` and ``received_time`` are all known and the client's clock is off by more
   than 5 s (exactly 5.000 s is not), ``time`` is corrected by ``received_time - sent_time``.
2. What is later than ``received_time`` + 60 s (exactly 60.000 s is not) becomes ``received_time``, flagged.
3. Without ``time`` it is ``received_time``.

Where ``received_time`` is unknown, as in a file, there is no correction and no clamp. No time at all, an
event or received time before 1970, or one from 2100-01-01 on: :data:`UNKNOWN_MS`. Columns are int64 arrays
of equal length in which UNKNOWN_MS stands for an absent time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SKEW_TOLERANCE_MS: Final = 5_000
MAX_AHEAD_MS: Final = 60_000
END_OF_TIME_MS: Final = 4_102_444_800_000  # 2100-01-01T00:00:00Z
UNKNOWN_MS: Final = -(1 << 61)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FAR_MS = 1 << 60  # no time, and sums of a few such still fit

Time = int | datetime


def event_times(
    time: NDArray[np.int64], sent_time: NDArray[np.int64], received_time: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(event times, were they clamped); UNKNOWN_MS where there is none that can be used."""
    is_received = received_time != UNKNOWN_MS
    skew = received_time - sent_time
    is_off = is_received & (sent_time != UNKNOWN_MS) & (np.abs(skew) > SKEW_TOLERANCE_MS)
    found = np.where(time == UNKNOWN_MS, received_time, np.where(is_off, time + skew, time))
    clamped = is_received & (found > received_time + MAX_AHEAD_MS)
    found = np.where(clamped, received_time, found)
    bad = (found < 0) | (found >= END_OF_TIME_MS) | (is_received & ~_is_usable(received_time))
    return np.where(bad, UNKNOWN_MS, found), clamped


def _is_usable(times: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (times >= 0) & (times < END_OF_TIME_MS)


def to_ms(time: Time) -> int:
    """Milliseconds since the epoch, rounded down; a datetime must have its time zone."""
    return time if isinstance(time, int) else (time - _EPOCH) // _MILLISECOND


def column_of(times: Sequence[Time | None]) -> NDArray[np.int64]:
    """The times as a column; what is absurdly far becomes a time that is just too far to be used."""
    known: list[Any] = [UNKNOWN_MS if time is None else time for time in times]
    try:
        column = np.array(known, dtype=np.int64)
    except (TypeError, OverflowError):  # there are datetimes among them, or absurd numbers
        far = [time if time is UNKNOWN_MS else max(-_FAR_MS, min(to_ms(time), _FAR_MS)) for time in known]
        return np.array(far, dtype=np.int64)
    return np.minimum(column, _FAR_MS)
