"""Which site and which time a question is about.

Times are UTC milliseconds; ``start_ms`` belongs to the scope, ``end_ms`` does not. Days are those of the site's time
zone: one without an hour begins at its midnight. A wrong site or time raises ScopeError, which says what is allowed.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import NamedTuple

from pipeline.store.client import Reader, rows
from pipeline.store.sql import instant, text


class ScopeError(ValueError):
    """Who asked: no such site, or no such time."""


class Scope(NamedTuple):
    """A site from ``start_ms`` up to ``end_ms``. ``zone``: the site's."""

    site: str
    start_ms: int
    end_ms: int
    zone: tzinfo = UTC

    @property
    def first_day(self) -> date:
        """Of which something belongs to the scope."""
        return self.day(self.start_ms)

    @property
    def last_day(self) -> date:
        """Of which something belongs to the scope."""
        return self.day(self.end_ms - 1)

    def day(self, time_ms: int) -> date:
        """At the site."""
        return datetime.fromtimestamp(time_ms // 1000, self.zone).date()

    def where(self, column: str) -> str:
        """The condition on the view's ``site`` and time ``column``."""
        start, end = instant(self.start_ms), instant(self.end_ms)
        return f"site = {text(self.site)} AND {column} >= {start} AND {column} < {end}"

    def before(self) -> "Scope":
        """The scope of the same length that ends where this one begins."""
        return self._replace(start_ms=self.start_ms - (self.end_ms - self.start_ms), end_ms=self.start_ms)


def scope_of(
    reader: Reader,
    *,
    site: str | None = None,
    start: str | None = None,
    end: str | None = None,
    zone_of: Callable[[str], tzinfo] = lambda _: UTC,
) -> Scope:
    """What is left open is taken from the store: its only site, the time of all its hits. ``zone_of``: a site."""
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
    (first, last), zone = spans[chosen], zone_of(chosen)
    start_ms = first if start is None else time_of(start, zone)
    end_ms = last + 1 if end is None else time_of(end, zone)
    if end_ms <= start_ms:
        raise ScopeError(
            f"--to must be later than --from: nothing lies between {start or first} and {end or last}"
        )
    return Scope(chosen, start_ms, end_ms, zone)


def time_of(written: str, zone: tzinfo = UTC) -> int:
    """``2026-07-01`` or RFC 3339, as milliseconds UTC. ``zone``: of a time that names none."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise ScopeError(f"{written!r} is no time; write 2026-07-01 or 2026-07-01T09:30:00Z") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    return round(found.timestamp() * 1000)
