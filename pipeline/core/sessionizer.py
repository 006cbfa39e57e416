"""Sessions of one visitor: hits come in, sessions open, grow, merge, close, and what was said of them is corrected.

A hit at ``t`` belongs to a session if ``start - timeout <= t <= end + timeout`` (both inclusive: exactly the timeout
after the last hit is the same session, one millisecond more is a new one). Within reach of two, they merge.
A session closes when the watermark has passed ``end + timeout``; it is forgotten when no hit that is on time can reach
it any more, that is when the watermark less the lateness has passed it too.

What a change makes wrong is taken back: the counters' fact of a closed session (sign -1), the row of an id whose start
moved (withdrawn), and the id on hits that were stored before (a :class:`SessionMove`).
"""

from bisect import insort
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.closing import Closed
from pipeline.core.ids import SEPARATOR, session_id
from pipeline.core.parts import Splits
from pipeline.core.session import OpenSession, Told, merge, told_of, withdrawal
from schemas.session import Session, SessionFact, SessionMove


class SessionRules(NamedTuple):
    """``lateness_ms`` None: unlimited (bounded input). ``dedupe_ms``: how long a hit_id is remembered.

    ``splits``: what cuts a session beside the timeout.
    """

    timeout_ms: int = 1_800_000
    lateness_ms: int | None = 3_600_000
    dedupe_ms: int = 86_400_000
    bounce: str = "pages"
    splits: Splits = Splits()


class Said(Struct):
    """What one unit of work has to say about sessions; ``version`` goes on every row."""

    version: int
    withdrawn: list[Session] = []
    moves: list[SessionMove] = []
    closed: Closed | None = None
    facts: list[SessionFact] = []  # that are taken back, and those of the persons:
    told: list[Told] = []
    active: dict[str, int] = {}  # change of the number of open sessions, per site
    slots: list[int] = []  # sessions whose rows must leave with this unit
    heirs: dict[str, tuple[OpenSession, str]] = {}  # id that took another's place -> session, key


def place(
    sessions: list[OpenSession], hit: OpenSession, key: str, rules: SessionRules, said: Said
) -> OpenSession:
    """Put ``hit`` (a session of one hit, without id) among a visitor's: open, extend or merge. Returns its session.

    ``sessions``: in order of start; changed in place.
    """
    timeout = rules.timeout_ms
    within = [s for s in sessions if s.start - timeout <= hit.start <= s.end + timeout]
    if not within:
        hit.session_id, hit.since = session_id(key, hit.start), said.version
        insort(sessions, hit, key=attrgetter("start"))
        count_active(said, key, 1)
        return hit
    kept, absorbed = within[0], within[1:]
    reopen(kept, key, said)
    if hit.start < kept.start:
        new_id = session_id(key, hit.start)
        _leave_id(kept, new_id, kept, key, said)
        kept.session_id, kept.since = new_id, said.version
    for other in absorbed:
        reopen(other, key, said)
        count_active(said, key, -1)
        _leave_id(other, kept.session_id, kept, key, said)
        merge(kept, other)
        sessions.remove(other)
    merge(kept, hit)
    return kept


def reopen(session: OpenSession, key: str, said: Said) -> None:
    """Take back what the counters were told of the session, if they were told anything."""
    if session.closed is not None:
        said.facts.append(replace(session.closed, sign=-1))
        user = session.user[1] if session.user else ""
        channel = session.closed.channel
        whole = Told(key, user, session.session_id, session.start, session.end, channel, -1)
        said.told += told_of(whole, session.goals)
        session.closed = None
        count_active(said, key, 1)


def settle(said: Said) -> list[OpenSession]:
    """When a visitor's hits are placed: say that what was stored under older ids belongs to the sessions returned."""
    heirs = [(an_id, *heir) for an_id, heir in said.heirs.items() if heir[0].old_ids]
    for an_id, session, key in heirs:
        site = key.partition(SEPARATOR)[0]
        said.moves += [SessionMove(site, old, an_id, said.version) for old in session.old_ids]
    said.heirs = {}
    return [session for _, session, _ in heirs]


def count_active(said: Said, key: str, change: int) -> None:
    """So many open sessions more at the visitor's site."""
    site = key.partition(SEPARATOR)[0]
    said.active[site] = said.active.get(site, 0) + change


def _leave_id(session: OpenSession, new_id: str, heir: OpenSession, key: str, said: Said) -> None:
    """``session`` gives up its id: hits move to ``new_id``, and its stored row is withdrawn."""
    old_id = session.session_id
    said.heirs.pop(old_id, None)
    said.heirs[new_id] = (heir, key)
    if heir is not session:
        heir.old_ids = heir.old_ids + session.old_ids
    if session.since < said.version:
        heir.old_ids = [*heir.old_ids, old_id]
        said.withdrawn.append(withdrawal(old_id, session.start, key, version=said.version))
