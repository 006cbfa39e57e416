"""Time zones by their IANA names, such as Europe/Berlin; the core is given what they are and reads no files."""

from zoneinfo import ZoneInfo


def zone_of(name: str) -> ZoneInfo:
    """ValueError if there is no such zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no file name; a folder of zones; too long
        raise ValueError(
            f"{name!r} is no time zone of the IANA list, such as Europe/Berlin or UTC"
        ) from error
