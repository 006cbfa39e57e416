"""Which site and which time a question is about.

Times are UTC milliseconds; ``start_ms`` belongs to the scope, ``end_ms`` does not. A day without an hour begins
at midnight UTC. A wrong site or time raises ScopeError, which says what is allowed.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.store.client import Reader, rows
from pipeline.store.sql import instant, text


class ScopeError(ValueError):
    """Who asked: no such site, or no such time."""


class Scope(NamedTuple):
    """A site from ``start_ms`` up to ``end_ms``."""

    site: str
    start_ms: int
    end_ms: int

    def where(self, column: str) -> str:
        """The condition on the view's ``site`` and time ``column``."""
        start, end = instant(self.start_ms), instant(self.end_ms)
        return f"site = {text(self.site)} AND {column} >= {start} AND {column} < {end}"

    def before(self) -> "Scope":
        """The scope of the same length that ends where this one begins."""
        return Scope(self.site, self.start_ms - (self.end_ms - self.start_ms), self.start_ms)


def scope_of(
    reader: Reader, *, site: str | None = None, start: str | None = None, end: str | None = None
) -> Scope:
    """What is left open is taken from the store: its only site, the time of all its hits."""
    found = rows(
        reader,
        "SELECT site, toUnixTimestamp64Milli(min(event_time)) AS first, "
        "toUnixTimestamp64Milli(max(event_time)) AS last FROM hits WHERE outcome != 'bot' GROUP BY site ORDER BY site",
    )
    spans = {row["site"]: (row["first"], row["last"]) for row in found}
    if not spans:
        raise ScopeError("the store holds no hits yet")
    if site is None and len(spans) > 1:
        raise ScopeError(f"the store holds several sites, name one with --site: {', '.join(spans)}")
    chosen = next(iter(spans)) if site is None else site
    if chosen not in spans:
        raise ScopeError(f"the store holds no site {chosen}; there are {', '.join(spans)}")
    first, last = spans[chosen]
    start_ms = first if start is None else time_of(start)
    end_ms = last + 1 if end is None else time_of(end)
    if end_ms <= start_ms:
        raise ScopeError(
            f"--to must be later than --from: nothing lies between {start or first} and {end or last}"
        )
    return Scope(chosen, start_ms, end_ms)


def time_of(written: str) -> int:
    """``2026-07-01`` or RFC 3339, as milliseconds UTC."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise ScopeError(f"{written!r} is no time; write 2026-07-01 or 2026-07-01T09:30:00Z") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return round(found.timestamp() * 1000)
