"""Values as ClickHouse's SQL has them, and the comparison of two queries."""

from typing import Final

ACCEPTED: Final = "outcome IN ('sessionized', 'background', 'late')"  # the hits that count for persons


def text(value: str) -> str:
    """A string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def pattern(glob: str) -> str:
    """A glob as the pattern of LIKE: ``*`` stands for any characters, all else for itself."""
    for special in "\\%_":
        glob = glob.replace(special, "\\" + special)
    return glob.replace("*", "%")


def like(glob: str) -> str:
    """The same as a literal."""
    return text(pattern(glob))


def instant(time_ms: int) -> str:
    """A point in time, UTC, to the millisecond."""
    return f"fromUnixTimestamp64Milli({time_ms}, 'UTC')"


def differing(stream: str, batch: str, *, key: str, value: str, is_final: str = "1") -> str:
    """Rows of two queries, matched by ``key``, that are not on both sides once with the same ``value``: expressions.

    What is final on neither side is left out.
    """
    return f"""
    SELECT key, if(in_stream > 0, said, NULL) AS stream, if(in_batch > 0, found, NULL) AS batch
    FROM
    (
        SELECT
            key, countIf(side = 1) AS in_stream, countIf(side = 2) AS in_batch,
            anyIf(value, side = 1) AS said, anyIf(value, side = 2) AS found,
            max(final_here) AS final_anywhere
        FROM
        (
            SELECT 1 AS side, {key} AS key, {value} AS value, {is_final} AS final_here FROM ({stream})
            UNION ALL
            SELECT 2 AS side, {key} AS key, {value} AS value, {is_final} AS final_here FROM ({batch})
        )
        GROUP BY key
    )
    WHERE final_anywhere = 1 AND (in_stream != 1 OR in_batch != 1 OR said != found)
    ORDER BY key
    """


_TYPES: Final = {
    "start_time": "Int64",
    "end_time": "Int64",
    "pane_start": "Int64",
    "duration_ms": "Int64",
    "hits": "Int64",
    "page_views": "Int64",
    "sessions": "Int64",
    "counted": "Int64",
    "bounced": "Int64",
    "converted": "Int64",
    "conversions": "Int64",
    "revenue": "Decimal(38, 6)",
}


def named_tuple(names: str) -> str:
    """Of the columns ``a, b, c``: text, but for those that are known to be numbers."""
    types = ", ".join(f"{name} {_TYPES.get(name, 'String')}" for name in names.split(", "))
    return f"tuple({names})::Tuple({types})"
