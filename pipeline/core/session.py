"""One session as an aggregate of its hits. Adding and merging are commutative and associative: arrival does not matter.

Where one hit must be chosen (entry, exit, user) the choice is the least or greatest by time and then by value, so two
hits of the same millisecond give the same answer in either order; a url goes before none. Times in ms, both ends
inclusive.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from pipeline.core.ids import SEPARATOR
from pipeline.core.money import add_micros
from schemas.session import Session, SessionFact
from schemas.touchpoint import OWN

MOST_GOALS: Final = 1_000
Goals = tuple[tuple[int, str], ...]


class OpenSession(Struct, array_like=True, gc=False):
    """One session within reach of the lateness, as the general way works on it; it is kept in columns.

    ``url`` and ``context`` are those of the first hit. ``entry_*``, ``exit_*``: of the first and the last view; of
    the first and the last hit as long as there is no view. ``since``: the unit of work that gave the id; rows with it
    have left when a later one looks. ``goals``: see :func:`earliest`.
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
    goals: Goals = ()


class Told(NamedTuple):
    """A closed session as the persons hear of it; ``sign`` -1: it is taken back. ``key``: the visitor's.

    ``goal_time``: as in :class:`schemas.touchpoint.SessionColumns`.
    """

    key: str
    user_id: str
    session_id: str
    start: int
    end: int
    channel: str
    sign: int
    goal_time: int = OWN


def told_of(whole: Told, goals: Goals) -> Iterator[Told]:
    """To its latest user or else its visitor, and for each goal to whose it may be instead: another user, or, as no
    hit without a user says whose it is, its visitor.
    """
    yield whole
    for time, user in goals:
        if not user or user != whole.user_id:
            yield whole._replace(user_id=user, goal_time=time)


def earliest(goals: Iterable[tuple[int, str]]) -> Goals:
    """Of a session's conversions (time, user id or ""), each once, as many as are remembered."""
    return tuple(sorted(set(goals))[:MOST_GOALS])


CONTEXT = (
    "referrer", "channel", "campaign_source", "campaign_medium", "campaign_name", "campaign_term", "campaign_content",
    "campaign_id", "device", "browser", "os", "country", "language",
)  # fmt: skip
_CHANNEL = CONTEXT.index("channel")
SEGMENTS = {name: CONTEXT.index(name) for name in ("device", "browser", "os", "country", "language")}
"""By what windows can be cut: closed or short lists, and their places in the context."""


def context_of(fields: Sequence[str]) -> str:
    """What a session takes from its first hit, in the order of :data:`CONTEXT`, as one text."""
    return SEPARATOR.join([field.replace(SEPARATOR, " ") for field in fields])


def of_one_hit(
    time: int, url: str, context: str, user_id: str, *, is_view: bool, is_goal: bool, revenue: int | None
) -> OpenSession:
    """A session of one hit; its id is given when it is known where it belongs."""
    return OpenSession(
        session_id="",
        since=0,
        start=time,
        end=time,
        hits=1,
        views=int(is_view),
        conversions=int(is_goal),
        revenue_micros=(revenue or 0) if is_goal else 0,
        url=url,
        context=context,
        entry_time=time,
        entry_url=url,
        exit_time=time,
        exit_url=url,
        user=(time, user_id) if user_id else None,
        goals=((time, user_id),) if is_goal else (),
    )


def merge(into: OpenSession, other: OpenSession) -> None:
    """Add ``other``'s hits to ``into``; who was told what is the caller's affair."""
    if first_of(other) < first_of(into):
        into.start, into.url, into.context = other.start, other.url, other.context
    _merge_ways(into, other)
    into.end = max(into.end, other.end)
    into.hits += other.hits
    into.views += other.views
    into.conversions += other.conversions
    into.revenue_micros = add_micros(into.revenue_micros, other.revenue_micros)
    if other.user is not None and (into.user is None or other.user > into.user):
        into.user = other.user
    if other.goals:
        into.goals = earliest((*into.goals, *other.goals))


def _merge_ways(into: OpenSession, other: OpenSession) -> None:
    """Entry and exit: a view goes before any other hit, whatever their times."""
    if bool(other.views) < bool(into.views):
        return
    first_views = bool(other.views) > bool(into.views)
    if first_views or _entry(other) < _entry(into):
        into.entry_time, into.entry_url = other.entry_time, other.entry_url
    if first_views or (other.exit_time, other.exit_url) > (into.exit_time, into.exit_url):
        into.exit_time, into.exit_url = other.exit_time, other.exit_url


def first_of(session: OpenSession) -> tuple[int, bool, str, str]:
    """The least by this is the first hit."""
    return session.start, not session.url, session.url, session.context


def _entry(session: OpenSession) -> tuple[int, bool, str]:
    return session.entry_time, not session.entry_url, session.entry_url


def channel_of(context: str) -> str:
    """The channel in a session's context."""
    return context.split(SEPARATOR, _CHANNEL + 1)[_CHANNEL]


def withdrawal(session_id: str, start: int, key: str, *, version: int) -> Session:
    """The record that takes ``session_id`` away; only what names the row is filled in."""
    site = key.partition(SEPARATOR)[0]
    values: list[Any] = [session_id, site, "", "", "", start, start, 0, 0, 0, *[""] * (2 + len(CONTEXT))]
    values += [False, False, 0, 0, False, True, version]
    return Session(*values)
