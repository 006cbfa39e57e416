"""Values as ClickHouse's SQL has them."""


def text(value: str) -> str:
    """A string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def like(glob: str) -> str:
    """A glob as the pattern of LIKE: ``*`` stands for any characters, all else for itself."""
    for special in "\\%_":
        glob = glob.replace(special, "\\" + special)
    return text(glob.replace("*", "%"))


def instant(time_ms: int) -> str:
    """A point in time, UTC, to the millisecond."""
    return f"fromUnixTimestamp64Milli({time_ms}, 'UTC')"
