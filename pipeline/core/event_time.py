"""Event time: when a hit happened, made safe against clients' clocks. Milliseconds since the epoch, UTC.

1. Where ``time``, ``sent_time`` and ``received_time`` are all known and the client's clock is off by more
   than 5 s (exactly 5.000 s is not), ``time`` is corrected by ``received_time - sent_time``.
2. What is later than ``received_time`` + 60 s (exactly 60.000 s is not) becomes ``received_time``, flagged.
3. Without ``time`` it is ``received_time``.

Where ``received_time`` is unknown, as in a file, there is no correction and no clamp. No time at all, an
event or received time before 1970, or one from 2100-01-01 on: None.
"""

from datetime import UTC, datetime, timedelta

SKEW_TOLERANCE_MS = 5_000
MAX_AHEAD_MS = 60_000
END_OF_TIME_MS = 4_102_444_800_000  # 2100-01-01T00:00:00Z

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Time = int | datetime


def event_time(
    time: Time | None, sent_time: Time | None, received_time: Time | None
) -> tuple[int, bool] | None:
    """(event time, was it clamped), or None if there is none that can be used."""
    if isinstance(time, datetime):
        time = to_ms(time)
    if isinstance(received_time, datetime):
        received_time = to_ms(received_time)
    if received_time is not None and not 0 <= received_time < END_OF_TIME_MS:
        return None
    clamped = False
    if time is None:
        time = received_time
    elif received_time is not None:
        if sent_time is not None:
            correction = received_time - to_ms(sent_time)
            if correction > SKEW_TOLERANCE_MS or correction < -SKEW_TOLERANCE_MS:
                time += correction
        if time > received_time + MAX_AHEAD_MS:
            time, clamped = received_time, True
    if time is None or not 0 <= time < END_OF_TIME_MS:
        return None
    return time, clamped


def to_ms(time: Time) -> int:
    """Milliseconds since the epoch, rounded down; a datetime must have its time zone."""
    return time if isinstance(time, int) else (time - _EPOCH) // _MILLISECOND
