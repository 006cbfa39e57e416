"""One session as an aggregate of its hits. Adding and merging are commutative and associative: arrival does not matter.

Where one hit must be chosen (entry, exit, user) the choice is the least or greatest by time and then by value, so two
hits of the same millisecond give the same answer in either order. Times in ms, both ends inclusive.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from pipeline.core.bounce import bounced
from pipeline.core.ids import SEPARATOR
from schemas.session import Session, SessionFact


class OpenSession(Struct, array_like=True, gc=False):
    """State of one session within reach of the lateness. Flat and small: it is unpacked and packed with each batch.

    ``url`` and ``context`` are those of the first hit. ``entry_*``, ``exit_*``: of the first and the last view; of
    the first and the last hit as long as there is no view. ``since``: the unit of work that gave the id; rows with it
    have left when a later one looks.
    """

    session_id: str
    since: int
    start: int
    end: int
    hits: int
    views: int  # page and screen views
    conversions: int
    revenue_micros: int
    url: str
    context: str
    entry_time: int
    entry_url: str
    exit_time: int
    exit_url: str
    user: tuple[int, str] | None = None  # latest hit with a user_id
    closed: SessionFact | None = None  # what the counters were told; None while it is open
    old_ids: list[str] = []  # ids that stored rows may still carry


CONTEXT = (
    "referrer", "channel", "campaign_source", "campaign_medium", "campaign_name", "campaign_term", "campaign_content",
    "campaign_id", "device", "browser", "os", "country", "language",
)  # fmt: skip
_CHANNEL = CONTEXT.index("channel")


def context_of(fields: Sequence[str]) -> str:
    """What a session takes from its first hit, in the order of :data:`CONTEXT`, as one text."""
    return SEPARATOR.join([field.replace(SEPARATOR, " ") for field in fields])


def of_one_hit(
    time: int, url: str, context: str, user_id: str, *, is_view: bool, is_goal: bool, revenue: int | None
) -> OpenSession:
    """A session of one hit; its id is given when it is known where it belongs."""
    return OpenSession(
        "",
        0,
        time,
        time,
        1,
        int(is_view),
        int(is_goal),
        (revenue or 0) if is_goal else 0,
        url,
        context,
        time,
        url,
        time,
        url,
        (time, user_id) if user_id else None,
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
    if time > session.end:
        session.end = time
    if is_view:
        if not session.views:
            session.entry_time = session.exit_time = time
            session.entry_url = session.exit_url = url
        elif time > session.exit_time or (time == session.exit_time and url > session.exit_url):
            session.exit_time, session.exit_url = time, url
        elif (time, url) < (session.entry_time, session.entry_url):
            session.entry_time, session.entry_url = time, url
        session.views += 1
    elif not session.views and (time, url) > (session.exit_time, session.exit_url):
        session.exit_time, session.exit_url = time, url
    if is_goal:
        session.conversions += 1
        session.revenue_micros += revenue or 0
    if user_id and (session.user is None or (time, user_id) > session.user):
        session.user = (time, user_id)


def merge(into: OpenSession, other: OpenSession) -> None:
    """Add ``other``'s hits to ``into``; who was told what is the caller's affair."""
    if (other.start, other.url, other.context) < (into.start, into.url, into.context):
        into.start, into.url, into.context = other.start, other.url, other.context
    _merge_ways(into, other)
    into.end = max(into.end, other.end)
    into.hits += other.hits
    into.views += other.views
    into.conversions += other.conversions
    into.revenue_micros += other.revenue_micros
    if other.user is not None and (into.user is None or other.user > into.user):
        into.user = other.user


def _merge_ways(into: OpenSession, other: OpenSession) -> None:
    """Entry and exit: a view goes before any other hit, whatever their times."""
    if bool(other.views) < bool(into.views):
        return
    first_views = bool(other.views) > bool(into.views)
    if first_views or (other.entry_time, other.entry_url) < (into.entry_time, into.entry_url):
        into.entry_time, into.entry_url = other.entry_time, other.entry_url
    if first_views or (other.exit_time, other.exit_url) > (into.exit_time, into.exit_url):
        into.exit_time, into.exit_url = other.exit_time, other.exit_url


def fact(session: OpenSession, *, site: str, timeout_ms: int, preset: str) -> SessionFact:
    """What the counters count when the session closes."""
    return SessionFact(
        site,
        session.context.split(SEPARATOR, _CHANNEL + 1)[_CHANNEL],
        session.end + timeout_ms,
        session.end - session.start,
        session.views > 0,
        _bounced(session, preset),
        session.conversions > 0,
        session.revenue_micros,
    )


def row(session: OpenSession, key: str, *, preset: str, version: int) -> Session:
    """The public record of the session as it stands."""
    site, _, visitor = key.partition(SEPARATOR)
    visitor_id = visitor[1:] if visitor[0] == "v" else ""
    user_id = session.user[1] if session.user else ""
    values: list[Any] = [session.session_id, site, visitor_id, user_id, user_id or visitor_id]
    values += [session.start, session.end, session.end - session.start, session.hits, session.views]
    values += [session.entry_url, session.exit_url, *session.context.split(SEPARATOR)]
    values += [
        _bounced(session, preset),
        session.conversions > 0,
        session.conversions,
        session.revenue_micros,
    ]
    values += [session.closed is not None, False, version]
    return Session(*values)


def withdrawal(session_id: str, start: int, key: str, *, version: int) -> Session:
    """The record that takes ``session_id`` away; only what names the row is filled in."""
    site = key.partition(SEPARATOR)[0]
    values: list[Any] = [session_id, site, "", "", "", start, start, 0, 0, 0, *[""] * (2 + len(CONTEXT))]
    values += [False, False, 0, 0, False, True, version]
    return Session(*values)


def _bounced(session: OpenSession, preset: str) -> bool:
    return bounced(
        preset,
        views=session.views,
        hits=session.hits,
        custom_events=session.hits - session.views,
        duration_ms=session.end - session.start,
        conversions=session.conversions,
    )
