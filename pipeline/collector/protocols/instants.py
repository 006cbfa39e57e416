"""Times as clients write them -> ms since the epoch, UTC, rounded down. What is no time is None.

ISO 8601 with any number of digits of a second's fraction and any zone (none is UTC); numbers of seconds or
milliseconds, told apart by their size: what would be before 1973 in milliseconds is seconds.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pipeline.collector.protocols.fields import milliseconds, number
from pipeline.core.event_time import to_ms

_MILLISECONDS_FROM = 100_000_000_000  # 1973 in ms, the year 5138 in s


def instant(value: Any) -> int | None:
    """The time that ``value`` says."""
    if isinstance(value, str):
        moment = _iso(value)
        if moment is not None:
            return moment
    found = number(value)
    if found is None:
        return None
    return milliseconds(found, per_second=1_000 if abs(found) >= _MILLISECONDS_FROM else 1)


@lru_cache(maxsize=256)  # messages of one batch share their sent time
def _iso(text: str) -> int | None:
    if len(text) > 40 or text.isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text.strip().upper())  # RFC 3339 has small letters, too
        time = to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return time if time > 0 else None
