"""Sessions of one visitor: hits come in, sessions open, grow, merge, close, and what was said of them is corrected.

A hit at ``t`` belongs to a session if ``start - timeout <= t <= end + timeout`` (both inclusive: exactly the timeout
after the last hit is the same session, one millisecond more is a new one). Within reach of two, they merge.
A session closes when the watermark has passed ``end + timeout``; it is forgotten when no hit that is on time can reach
it any more, that is when the watermark less the lateness has passed it too.

What a change makes wrong is taken back: the counters' fact of a closed session (sign -1), the row of an id whose start
moved (withdrawn), and the id on hits that were stored before (a :class:`SessionMove`).
"""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core import duplicates
from pipeline.core.ids import SEPARATOR, session_id
from pipeline.core.session import OpenSession, fact, merge, row, withdrawal
from schemas.session import Session, SessionFact, SessionMove


class Visitor(Struct, array_like=True, gc=False):
    """State of one visitor of one site: sessions in order of start, and the hit_ids seen."""

    sessions: list[OpenSession] = []
    seen: bytes = b""


class SessionRules(NamedTuple):
    """``lateness_ms`` None: unlimited (bounded input). ``dedupe_ms``: how long a hit_id is remembered."""

    timeout_ms: int = 1_800_000
    lateness_ms: int | None = 3_600_000
    dedupe_ms: int = 86_400_000
    bounce: str = "pages"


class Said(Struct):
    """What one unit of work has to say about sessions; ``version`` goes on every row."""

    version: int
    rows: list[Session] = []
    moves: list[SessionMove] = []
    facts: list[SessionFact] = []
    active: dict[str, int] = {}  # change of the number of open sessions, per site
    moved: dict[str, str] = {}  # old id -> new id, within this unit
    heirs: dict[str, tuple[OpenSession, str]] = {}  # id that took another's place -> session, key

    def current_id(self, an_id: str) -> str:
        """Where hits that were put under ``an_id`` in this unit have ended."""
        while an_id in self.moved:
            an_id = self.moved[an_id]
        return an_id


def place(visitor: Visitor, hit: OpenSession, key: str, rules: SessionRules, said: Said) -> OpenSession:
    """Put ``hit`` (a session of one hit, without id) among the sessions: open, extend or merge. Returns its session."""
    sessions, timeout = visitor.sessions, rules.timeout_ms
    within = [s for s in sessions if s.start - timeout <= hit.start <= s.end + timeout]
    if not within:
        hit.session_id, hit.since = session_id(key, hit.start), said.version
        sessions.append(hit)
        if len(sessions) > 1:
            sessions.sort(key=_start)
        _count_active(said, key, 1)
        return hit
    kept, absorbed = within[0], within[1:]
    reopen(kept, key, said)
    if hit.start < kept.start:
        new_id = session_id(key, hit.start)
        _leave_id(kept, new_id, kept, key, said)
        kept.session_id, kept.since = new_id, said.version
    for other in absorbed:
        reopen(other, key, said)
        _count_active(said, key, -1)
        _leave_id(other, kept.session_id, kept, key, said)
        merge(kept, other)
        sessions.remove(other)
    merge(kept, hit)
    return kept


def reopen(session: OpenSession, key: str, said: Said) -> None:
    """Take back what the counters were told of the session, if they were told anything."""
    if session.closed is not None:
        said.facts.append(replace(session.closed, sign=-1))
        session.closed = None
        _count_active(said, key, 1)


def say_open(visitor: Visitor, key: str, rules: SessionRules, said: Said) -> None:
    """The rows of the visitor's open sessions, as they stand."""
    for session in visitor.sessions:
        if session.closed is None:
            said.rows.append(row(session, key, preset=rules.bounce, version=said.version))


def close(visitor: Visitor, key: str, watermark: int | None, rules: SessionRules, said: Said) -> bool:
    """Close what the watermark has passed (None: everything) and forget what nothing on time can reach. Changed?"""
    changed = False
    for session in visitor.sessions:
        if session.closed is None and (watermark is None or session.end + rules.timeout_ms < watermark):
            site = key.partition(SEPARATOR)[0]
            session.closed = fact(session, site=site, timeout_ms=rules.timeout_ms, preset=rules.bounce)
            said.facts.append(session.closed)
            said.rows.append(row(session, key, preset=rules.bounce, version=said.version))
            _count_active(said, key, -1)
            changed = True
    if watermark is None or rules.lateness_ms is None:
        return changed
    horizon = watermark - rules.lateness_ms
    kept = [s for s in visitor.sessions if s.end + rules.timeout_ms >= horizon]
    seen = duplicates.forget(visitor.seen, watermark - rules.dedupe_ms)
    changed = changed or len(kept) < len(visitor.sessions) or len(seen) < len(visitor.seen)
    visitor.sessions, visitor.seen = kept, seen
    return changed


def due(visitor: Visitor, rules: SessionRules) -> int | None:
    """The watermark at which :func:`close` has something to do again; None: never."""
    sessions = visitor.sessions
    times = [session.end + rules.timeout_ms for session in sessions if session.closed is None]
    if not times and rules.lateness_ms is not None:
        # What is to be forgotten can wait until all sessions are closed.
        times = [session.end + rules.timeout_ms + rules.lateness_ms for session in sessions]
        if visitor.seen:
            times.append(duplicates.earliest(visitor.seen) + 1000 + rules.dedupe_ms)
    return min(times) + 1 if times else None


def settle(rules: SessionRules, said: Said) -> None:
    """At the end of a unit: say what took the place of older ids, and that hits stored under those belong to it."""
    for new_id, (session, key) in said.heirs.items():
        if session.old_ids:
            site = key.partition(SEPARATOR)[0]
            said.moves += [SessionMove(site, old, new_id, said.version) for old in session.old_ids]
            said.rows.append(row(session, key, preset=rules.bounce, version=said.version))


def _leave_id(session: OpenSession, new_id: str, heir: OpenSession, key: str, said: Said) -> None:
    """``session`` gives up its id: hits move to ``new_id``, and its stored row is withdrawn."""
    old_id = session.session_id
    said.moved[old_id] = new_id
    said.heirs.pop(old_id, None)
    said.heirs[new_id] = (heir, key)
    if heir is not session:
        heir.old_ids = heir.old_ids + session.old_ids
    if session.since < said.version:
        heir.old_ids = [*heir.old_ids, old_id]
        said.rows.append(withdrawal(old_id, session.start, key, version=said.version))


def _count_active(said: Said, key: str, change: int) -> None:
    site = key.partition(SEPARATOR)[0]
    said.active[site] = said.active.get(site, 0) + change


def _start(session: OpenSession) -> int:
    return session.start
