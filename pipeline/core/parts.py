"""Where a visitor's hits are cut into sessions when pauses alone do not decide (contract, section 2, options).

A pure function of the hits in order of time: what comes later never moves a cut that lies before it, and a cut starts
afresh, knowing nothing of what was before. A hit begins a new session

* after a pause longer than the timeout, as always;
* ``midnight``: when the site's date is another than that of the hit before (23:59:59.999 | 00:00:00.000);
* ``campaign``: when it names another campaign than the session came by. So a session has one campaign at most. A hit
  without one cuts nothing, and a session that began directly takes the first campaign that is named;
* ``longest_ms``: when it is more than so long after the session's first hit (exactly so long is the same session).

Hits of the same millisecond are never parted, so that starts still name sessions; of several campaigns in one, the
least counts. Nor are hits that were folded into one. What the products do:
https://github.com/matomo-org/matomo/blob/5.x-dev/config/global.ini.php (create_new_visit_*),
https://support.google.com/analytics/answer/9191807 (GA4: only the pause decides).
"""

from collections.abc import Iterable, Sequence
from copy import copy
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from pipeline.core.ids import SEPARATOR
from pipeline.core.session import CONTEXT, OpenSession, first_of, merge

Hits = list[OpenSession]  # each of one hit, or of several that were folded
_CHANNEL: Final = CONTEXT.index("channel")
_CAMPAIGN: Final = slice(_CHANNEL + 1, CONTEXT.index("campaign_id") + 1)
_NAMED, _OTHER, _DIRECT = range(3)
Origin = tuple[int, tuple[str, ...]]  # by which campaign, by which channel, or directly


class Splits(NamedTuple):
    """``longest_ms`` None: any length. ``zone``: of the sites that name none."""

    midnight: bool = False
    campaign: bool = False
    longest_ms: int | None = None
    zone: tzinfo = UTC

    @property
    def any(self) -> bool:
        """Whether anything but a pause cuts."""
        return self.midnight or self.campaign or self.longest_ms is not None


PRESETS: Final = {
    "masir": Splits(),
    "ga4": Splits(),
    "matomo": Splits(midnight=True, campaign=True),
}


def cut(hits: Iterable[OpenSession], timeout_ms: int, splits: Splits, zone: tzinfo) -> list[Hits]:
    """The hits of each session. ``hits``: one visitor's, by start."""
    found: list[Hits] = []
    start = end = day = 0
    came: Origin = (_DIRECT, ())
    for time, together in groupby(hits, attrgetter("start")):
        at_once = list(together)
        today = datetime.fromtimestamp(time // 1000, zone).toordinal() if splits.midnight else 0
        origin = min(_origin(hit.context) for hit in at_once) if splits.campaign else came
        is_over = time - end > timeout_ms or today != day
        is_over |= origin[0] == _NAMED and came[0] != _DIRECT and origin != came
        is_over |= splits.longest_ms is not None and time - start > splits.longest_ms
        if not found or (is_over and time > end):
            found.append([])
            start, came = time, origin
        elif origin[0] == _NAMED:
            came = origin
        found[-1] += at_once
        day, end = today, max(end, *(hit.end for hit in at_once))
    return found


def session_of(hits: Sequence[OpenSession], splits: Splits) -> OpenSession:
    """The session that these hits make, without an id. One that a campaign was named for has that hit's context."""
    session = copy(hits[0])
    for hit in hits[1:]:
        merge(session, hit)
    if splits.campaign:
        named = [hit for hit in hits if _origin(hit.context)[0] == _NAMED]
        if named:
            session.context = min(named, key=_first_named).context
    return session


def folded(hits: Sequence[OpenSession], splits: Splits) -> Hits:
    """One instead of all of them; and beside it the hit that says how the session came, where its first does not."""
    whole = session_of(hits, splits)
    if not splits.campaign:
        return [whole]
    came = min((hit for hit in hits if hit.start == whole.start), key=lambda hit: _origin(hit.context))
    if _origin(whole.context) <= _origin(came.context):
        return [whole]
    return [session_of([hit for hit in hits if hit is not came], splits), came]


def _first_named(hit: OpenSession) -> tuple[int, Origin, tuple[int, bool, str, str]]:
    return hit.start, _origin(hit.context), first_of(hit)


@lru_cache(maxsize=10_000)
def _origin(context: str) -> Origin:
    fields = context.split(SEPARATOR)
    campaign = tuple(fields[_CAMPAIGN])
    if any(campaign):
        return _NAMED, campaign
    channel = fields[_CHANNEL]
    return (_DIRECT, ()) if channel == "direct" else (_OTHER, (channel,))
