"""Time zones by their IANA names, such as Europe/Berlin; the core is given what they are and reads no files."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def zone_of(name: str) -> ZoneInfo:
    """ValueError if there is no such zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no file name; a folder of zones; too long
        raise ValueError(
            f"{name!r} is no time zone of the IANA list, such as Europe/Berlin or UTC"
        ) from error


def in_utc(time_ms: int) -> str:
    """As people read it: ``2026-07-01 09:30 UTC``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
