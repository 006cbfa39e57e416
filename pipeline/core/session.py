"""One session as an aggregate of its hits. Adding and merging are commutative and associative: arrival does not matter.

Where one hit must be chosen (entry, exit, user) the choice is the least or greatest by time and then by value, so two
hits of the same millisecond give the same answer in either order. Times in ms, both ends inclusive.
"""

from typing import NamedTuple

from msgspec import Struct

from pipeline.core.bounce import bounced
from pipeline.core.ids import SEPARATOR
from schemas.session import Session, SessionFact


class Entry(NamedTuple):
    """What the first hit says of the whole session. Compared field by field where times are equal."""

    time: int
    url: str
    referrer: str
    channel: str
    campaign_source: str
    campaign_medium: str
    campaign_name: str
    campaign_term: str
    campaign_content: str
    campaign_id: str
    device: str
    browser: str
    os: str
    country: str
    language: str


class View(NamedTuple):
    """When and where something was seen."""

    time: int
    url: str


class OpenSession(Struct, array_like=True, gc=False):
    """State of one session within reach of the lateness. ``views``: page and screen views."""

    session_id: str
    start: int
    end: int
    hits: int
    views: int
    custom_events: int  # interactive hits that are neither views nor goals
    conversions: int
    revenue_micros: int
    entry: Entry
    exit_hit: View
    entry_view: View | None = None
    exit_view: View | None = None
    user: tuple[int, str] | None = None  # latest hit with a user_id
    closed: SessionFact | None = None  # what the counters were told; None while it is open
    stored: bool = False  # rows with this id have left the sessionizer
    old_ids: list[str] = []  # ids that stored rows may still carry


def of_one_hit(
    entry: Entry, user_id: str, *, is_view: bool, is_goal: bool, revenue: int | None
) -> OpenSession:
    """A session of one hit; its id is given when it is known where it belongs."""
    view = View(entry.time, entry.url)
    return OpenSession(
        session_id="",
        start=entry.time,
        end=entry.time,
        hits=1,
        views=int(is_view),
        custom_events=int(not is_view and not is_goal),
        conversions=int(is_goal),
        revenue_micros=(revenue or 0) if is_goal else 0,
        entry=entry,
        exit_hit=view,
        entry_view=view if is_view else None,
        exit_view=view if is_view else None,
        user=(entry.time, user_id) if user_id else None,
    )


def extend(
    session: OpenSession,
    time: int,
    url: str,
    user_id: str,
    *,
    is_view: bool,
    is_goal: bool,
    revenue: int | None,
) -> None:
    """Add a hit later than the session's start: what :func:`merge` of a session of one hit would do, faster."""
    session.hits += 1
    session.end = max(session.end, time)
    view = View(time, url)
    session.exit_hit = max(session.exit_hit, view)
    if is_view:
        session.views += 1
        if session.exit_view is None or view > session.exit_view:
            session.exit_view = view
        if session.entry_view is None or view < session.entry_view:
            session.entry_view = view
    elif not is_goal:
        session.custom_events += 1
    if is_goal:
        session.conversions += 1
        session.revenue_micros += revenue or 0
    if user_id and (session.user is None or (time, user_id) > session.user):
        session.user = (time, user_id)


def merge(into: OpenSession, other: OpenSession) -> None:
    """Add ``other``'s hits to ``into``; who was told what is the caller's affair."""
    into.start = min(into.start, other.start)
    into.end = max(into.end, other.end)
    into.hits += other.hits
    into.views += other.views
    into.custom_events += other.custom_events
    into.conversions += other.conversions
    into.revenue_micros += other.revenue_micros
    into.entry = min(into.entry, other.entry)
    into.exit_hit = max(into.exit_hit, other.exit_hit)
    if other.entry_view is not None and (into.entry_view is None or other.entry_view < into.entry_view):
        into.entry_view = other.entry_view
    if other.exit_view is not None and (into.exit_view is None or other.exit_view > into.exit_view):
        into.exit_view = other.exit_view
    if other.user is not None and (into.user is None or other.user > into.user):
        into.user = other.user


def fact(session: OpenSession, *, site: str, timeout_ms: int, preset: str) -> SessionFact:
    """What the counters count when the session closes."""
    return SessionFact(
        site=site,
        channel=session.entry.channel,
        close_time=session.end + timeout_ms,
        duration_ms=session.end - session.start,
        counted=session.views > 0,
        bounced=_bounced(session, preset),
        converted=session.conversions > 0,
        revenue_micros=session.revenue_micros,
    )


def row(session: OpenSession, key: str, *, preset: str, version: int) -> Session:
    """The public record of the session as it stands."""
    site, _, visitor = key.partition(SEPARATOR)
    visitor_id = visitor[1:] if visitor[0] == "v" else ""
    user_id = session.user[1] if session.user else ""
    entry = session.entry
    return Session(
        session.session_id,
        site,
        visitor_id,
        user_id,
        user_id or visitor_id,
        session.start,
        session.end,
        session.end - session.start,
        session.hits,
        session.views,
        (session.entry_view or entry).url,
        (session.exit_view or session.exit_hit).url,
        *entry[2:],
        _bounced(session, preset),
        session.conversions > 0,
        session.conversions,
        session.revenue_micros,
        session.closed is not None,
        False,
        version,
    )


def withdrawal(session_id: str, start: int, key: str, *, version: int) -> Session:
    """The record that takes ``session_id`` away; only what names the row is filled in."""
    blank = ("",) * 16
    site = key.partition(SEPARATOR)[0]
    return Session(session_id, site, *blank[:3], start, start, 0, 0, 0, *blank[:15], False, False, 0, 0, False, True, version)


def _bounced(session: OpenSession, preset: str) -> bool:
    return bounced(
        preset,
        views=session.views,
        hits=session.hits,
        custom_events=session.custom_events,
        duration_ms=session.end - session.start,
        conversions=session.conversions,
    )
