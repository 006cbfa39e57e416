"""A naive oracle of sessions: sort by time, cut at gaps longer than the timeout, and where the options say."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from session_kit import GOALS, TIMEOUT, VIEWS, Hit, by_name

from pipeline.core.ids import session_id
from schemas.session import SessionFact


class Options(NamedTuple):
    """What cuts a session beside a gap. ``midnight``: the zone of each site that has one."""

    midnight: Mapping[str, tzinfo]
    campaign: bool = False
    longest: int | None = None


NO_OPTIONS = Options({})


def oracle(
    hits: Iterable[Hit],
    *,
    timeout: int = TIMEOUT,
    watermark: int | None = None,
    preset: str = "pages",
    options: Options = NO_OPTIONS,
) -> list[dict[str, Any]]:
    """The sessions of these hits. ``watermark`` None: all are closed."""
    of_key: dict[str, list[Hit]] = {}
    for hit in hits:
        of_key.setdefault(hit.key, []).append(hit)
    found = []
    for key, of_visitor in of_key.items():
        groups: list[list[Hit]] = []
        for time in sorted({hit.time for hit in of_visitor}):
            now = [hit for hit in of_visitor if hit.time == time]
            if not groups or time - groups[-1][-1].time > timeout or _ends(groups[-1], now, options):
                groups.append([])
            groups[-1] += now
        found += [_session(key, group, timeout, watermark, preset, options) for group in groups]
    return sorted(found, key=by_name)


def _ends(session: list[Hit], now: list[Hit], options: Options) -> bool:
    """Do these hits, of one millisecond, not belong to the session, though there was no gap?"""
    zone = options.midnight.get(now[0].site)
    if zone is not None and _date(session[-1], zone) != _date(now[0], zone):
        return True
    if options.longest is not None and now[0].time - session[0].time > options.longest:
        return True
    if not options.campaign or not (named := min((hit.campaign for hit in now if hit.campaign), default="")):
        return False
    for time in sorted({hit.time for hit in session}):
        if campaigns := [hit.campaign for hit in session if hit.time == time and hit.campaign]:
            return named != min(campaigns)
    return any(hit.channel != "direct" for hit in session if hit.time == session[0].time)


def _date(hit: Hit, zone: tzinfo) -> str:
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=hit.time))
        .astimezone(zone)
        .date()
        .isoformat()
    )


def _session(
    key: str, hits: list[Hit], timeout: int, watermark: int | None, preset: str, options: Options
) -> dict[str, Any]:
    start, end = hits[0].time, hits[-1].time
    views = [hit for hit in hits if hit.event in VIEWS]
    goals = [hit for hit in hits if hit.event in GOALS]
    named = [hit for hit in hits if hit.campaign] if options.campaign else []
    first = min(hits, key=lambda h: (h.time, h.url == "", h.url, h.referrer, h.channel, h.campaign))
    if named:
        first = min(named, key=lambda h: (h.time, h.campaign, h.url == "", h.url, h.referrer, h.channel))
    user = max(((h.time, h.user) for h in hits if h.user), default=(0, ""))[1]
    custom = len(hits) - len(views) - len([h for h in goals if h not in views])
    bounced = len(views) == 1
    if preset == "plausible":
        bounced = bounced and len(hits) == 1
    elif preset == "ga4":
        bounced = bounced and end - start < 10_000 and not goals
    assert custom >= 0
    return {
        "session_id": session_id(key, start), "site": hits[0].site, "visitor_id": hits[0].visitor,
        "user_id": user, "person_id": user or hits[0].visitor, "start_time": start, "end_time": end,
        "duration_ms": end - start, "hits": len(hits), "page_views": len(views),
        "entry_url": min((h.time, h.url == "", h.url) for h in views or hits)[2],
        "exit_url": max((h.time, h.url) for h in views or hits)[1],
        "referrer": first.referrer, "channel": first.channel, "bounced": bounced, "converted": bool(goals),
        "conversions": len(goals), "revenue_micros": sum(round((h.revenue or 0) * 1e6) for h in goals),
        "closed": watermark is None or end + timeout < watermark,
    }  # fmt: skip


def facts_of(sessions: Iterable[dict[str, Any]], timeout: int = TIMEOUT) -> Counter[SessionFact]:
    """What the counters should hold of these sessions: the closed ones."""
    return Counter(
        SessionFact(
            site=s["site"], channel=s["channel"], close_time=s["end_time"] + timeout,
            duration_ms=s["duration_ms"],
            counted=s["page_views"] > 0, bounced=s["bounced"], converted=s["converted"],
            revenue_micros=s["revenue_micros"],
        )
        for s in sessions
        if s["closed"]
    )  # fmt: skip


def active_of(sessions: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Open sessions per site."""
    return dict(Counter(s["site"] for s in sessions if not s["closed"]))


def session_id_at(sessions: Iterable[dict[str, Any]], hit: Hit) -> str:
    """The one session that holds the hit."""
    (found,) = [
        s["session_id"]
        for s in sessions
        if (s["site"], s["visitor_id"]) == (hit.site, hit.visitor)
        and (hit.visitor or s["user_id"] == hit.user)
        and s["start_time"] <= hit.time <= s["end_time"]
    ]
    return str(found)
