"""Hits for the sessionizer, a follower that replays what it says as the store does, and a naive oracle."""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pipeline.core.channels import Classifier
from pipeline.core.closing import Closed
from pipeline.core.coded import Coded
from pipeline.core.evidence import arrived
from pipeline.core.goals import Goals
from pipeline.core.ids import hex_ids, visitor_key
from pipeline.core.intake import Intake
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.intake_unit import Output
from pipeline.core.models import load
from pipeline.core.session_table import SessionTable
from pipeline.core.sessionizer import SessionRules
from pipeline.model_files import builtin_texts
from schemas.evidence import Evidence
from schemas.rows import HIT_ROWS, NULLABLE
from schemas.session import Session, SessionFact, SessionMove

NOON = 1_767_268_800_000  # 2026-01-01 12:00 UTC
MINUTE = 60_000
HOUR = 60 * MINUTE
TIMEOUT = 30 * MINUTE
VIEWS = ("page_view", "screen_view")
GOALS = ("purchase", "sign_up", "subscribe", "generate_lead")

_MODELS = load(builtin_texts())
_CLASSIFIER = Classifier()


class Hit(NamedTuple):
    """A hit as a tracker sends it; ``time`` in ms. ``referrer`` and ``channel`` stand for all the context."""

    time: int
    visitor: str = "ann"
    event: str = "page_view"
    url: str = ""
    user: str = ""
    site: str = "shop"
    channel: str = "direct"
    referrer: str = ""
    revenue: float | None = None
    hit_id: str = ""
    campaign: str = ""

    @property
    def key(self) -> str:
        """Whose session it belongs to."""
        return visitor_key(self.site, self.visitor, self.user)

    @property
    def raw(self) -> bytes:
        """As it travels."""
        names = {"visitor": "visitor_id", "user": "user_id"}
        fields = {
            names.get(name, name): value for name, value in self._asdict().items() if value not in ("", None)
        }
        if self.campaign:
            fields["campaign"] = {"name": self.campaign}
        return json.dumps(fields).encode()


def rules(lateness_ms: int | None = None, **more: Any) -> IntakeRules:
    """Rules for a bounded input; with a lateness for a live one, whose open sessions are said at once."""
    of_sessions = {
        name: more.pop(name) for name in ("timeout_ms", "dedupe_ms", "bounce", "splits") if name in more
    }
    update_ms = None if lateness_ms is None else 1
    return IntakeRules(
        sessions=SessionRules(lateness_ms=lateness_ms, **of_sessions),
        goals=Goals(GOALS),
        models=_MODELS,
        classifier=_CLASSIFIER,
        **({"session_update_ms": update_ms} | more),
    )


def stored_hits(output: Output) -> list[dict[str, Any]]:
    """The rows of the unit's hits, as the store gets them."""
    columns = output.hits or {}
    found = []
    for values in zip(*map(_listed, columns.values()), strict=True):
        row = dict(zip(columns, values, strict=True))
        found.append(
            {name: "" if row[name] is None and name not in NULLABLE else row[name] for name in HIT_ROWS.names}
        )
    return found


def said_sessions(output: Output) -> list[Session]:
    """The rows of the unit's sessions, withdrawals among them."""
    rows = [
        values for columns in output.sessions for values in zip(*map(_listed, columns.values()), strict=True)
    ]
    return output.said.withdrawn + [Session(*values) for values in rows]


def _listed(column: Any) -> list[Any]:
    """Python's own values; ids as the store gets them."""
    if isinstance(column, Coded):
        return [*Coded(column.codes, _listed(column.values))]
    if isinstance(column, np.ndarray):
        return hex_ids(column) if column.dtype.kind == "V" else column.tolist()
    return list(column)


def evidence_of(output: Output) -> list[tuple[str, Evidence]]:
    """(person's key, evidence) of the unit, as the journeys' hop reads it."""
    if output.evidence is None or not output.evidence.persons:
        return []
    found = arrived(message for _, message in output.evidence.by_partition(0, 1, None))
    return [(found.persons[who], found.evidence(row)) for row, who in enumerate(found.person.tolist())]


def facts_of(closed: Closed) -> list[SessionFact]:
    """One by one."""
    times = (closed.close_time.tolist(), closed.sums[4].tolist())
    flags = (column.astype(np.bool_).tolist() for column in closed.sums[1:4])
    columns = (closed.site, closed.channel, *times, *flags, closed.sums[5].tolist(), closed.context)
    return [SessionFact(*values) for values in zip(*columns, strict=True)]


class Follower:
    """One partition: feeds an :class:`Intake` and keeps what it says, as store and counters would."""

    def __init__(self, of_rules: IntakeRules) -> None:
        self.rules = of_rules
        self.states: list[tuple[int, bytes]] = []
        self.ids: list[tuple[int, bytes]] = []
        self.rows: dict[tuple[str, int, str], Session] = {}
        self.moves: dict[tuple[str, str], SessionMove] = {}
        self.facts: Counter[SessionFact] = Counter()
        self.contexts: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self.hits: dict[int, dict[str, Any]] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.wall_ms = NOON
        self._offsets = count()
        self._numbers = count()
        self._intake = Intake(of_rules, 0)

    def restart(self) -> None:
        """The process ends and another takes up the states."""
        self._intake = Intake(self.rules, 0)
        self._intake.restore(self.states, self.ids)

    @property
    def watermark(self) -> int | None:
        return self._intake.watermark

    @property
    def remembered(self) -> tuple[int, int]:
        """Sessions in state, and entries of hit_ids, as a restart would find them."""
        table = SessionTable(self.rules.sessions)
        table.restore((number, msgspec.msgpack.decode(entry)[1]) for number, entry in self.states)
        return len(table.slots), len(self.ids)

    def feed(self, values: Sequence[Hit | bytes], received: int | None = None) -> Output:
        """One unit of work."""
        raws = [value.raw if isinstance(value, Hit) else value for value in values]
        offsets = [next(self._offsets) for _ in raws]
        times = [_received(value, received) for value in values]
        self.wall_ms += self.rules.session_update_ms == 1  # so that open sessions are said with every unit
        self._intake.take(raws, times, offsets)
        return self._finish(has_records=bool(raws))

    def idle(self, ms: int, *, is_caught_up: bool = True) -> Output:
        """Nothing comes for so long; is the partition read to its end?"""
        self.wall_ms += ms
        return self._finish(has_records=False, is_caught_up=is_caught_up)

    def end(self) -> Output:
        """The bounded input ends."""
        return self._finish(has_records=False, is_final=True)

    def _finish(self, *, has_records: bool, is_caught_up: bool = True, is_final: bool = False) -> Output:
        number = next(self._numbers)
        output = self._intake.finish(
            self.wall_ms,
            has_records=has_records,
            is_caught_up=is_caught_up,
            is_final=is_final,
            number=number,
            ids_number=number,
        )
        output.sessions = list(output.sessions)
        if output.state is not None:
            self.states = [entry for entry in self.states if entry[0] >= output.needed]
            self.states.append((number, output.state))
        self.ids = [entry for entry in self.ids if entry[0] >= output.ids_needed]
        if output.ids is not None:
            self.ids.append((number, output.ids))
        self._keep(output)
        return output

    def _keep(self, output: Output) -> None:
        said = output.said
        for row in said_sessions(output):
            name = (row.site, row.start_time, row.session_id)
            known = self.rows.get(name)
            if known is None or row.version >= known.version:
                self.rows[name] = row
        for move in said.moves:
            known_move = self.moves.get((move.site, move.old_id))
            if known_move is None or move.version >= known_move.version:
                self.moves[move.site, move.old_id] = move
        for fact in [*said.facts, *(facts_of(said.closed) if said.closed else [])]:
            positive = SessionFact(*[*_fields(fact)[:-2], "", 1])  # its context is the row's
            self.facts[positive] += fact.sign
            self.contexts[fact.context] += fact.sign
        assert min(self.contexts.values(), default=0) >= 0, "taken back from where it was put"
        self.active.update(said.active)
        self.outcomes.update({(site, str(outcome)): n for (site, outcome), n in output.outcomes.items()})
        for hit in stored_hits(output):
            assert hit["source_offset"] not in self.hits
            self.hits[hit["source_offset"]] = hit

    def sessions(self) -> list[dict[str, Any]]:
        """The live rows, without versions, in a fixed order."""
        live = [_plain(row) for row in self.rows.values() if not row.withdrawn]
        return sorted(live, key=by_name)

    def session_of(self, offset: int) -> str:
        """Where a stored hit belongs, as the view says it."""
        hit = self.hits[offset]
        moved = self.moves.get((hit["site"], hit["session_id"]))
        if moved is None:
            return str(hit["session_id"])
        if not moved.ids:
            return moved.session_id
        return moved.ids[max(0, bisect_right(moved.starts, hit["event_time"]) - 1)]

    def live_facts(self) -> Counter[SessionFact]:
        """What the counters hold; a fact taken back once too often shows as a negative one."""
        return Counter({fact: n for fact, n in self.facts.items() if n})

    def active_sessions(self) -> dict[str, int]:
        """Open sessions per site, zeros left out."""
        return {site: n for site, n in self.active.items() if n}


def follow(*units: list[Hit], lateness_ms: int | None = None, **more: object) -> Follower:
    """Each list is a unit of work; a bounded input is ended."""
    follower = Follower(rules(lateness_ms, **more))
    for unit in units:
        follower.feed(unit)
    if lateness_ms is None:
        follower.end()
    return follower


def spans(follower: Follower) -> list[tuple[int, int, int]]:
    """(start, end, hits) of the live sessions, ms after noon."""
    return [(s["start_time"] - NOON, s["end_time"] - NOON, s["hits"]) for s in follower.sessions()]


def at(*times: int, visitor: str = "ann", event: str = "page_view") -> list[Hit]:
    """Hits so many ms after noon."""
    return [Hit(NOON + time, visitor, event) for time in times]


_KEPT = (
    "session_id", "site", "visitor_id", "user_id", "person_id", "start_time", "end_time", "duration_ms", "hits",
    "page_views", "entry_url", "exit_url", "referrer", "channel", "bounced", "converted", "conversions",
    "revenue_micros", "closed",
)  # fmt: skip


def _plain(row: Session) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _KEPT}


def by_name(session: dict[str, Any]) -> tuple[str, str, str, int]:
    """A fixed order of sessions."""
    return session["site"], session["visitor_id"], session["user_id"], session["start_time"]


def _fields(fact: SessionFact) -> list[Any]:
    return [getattr(fact, name) for name in fact.__struct_fields__]


def _received(value: Hit | bytes, received: int | None) -> int:
    if received is not None:
        return received
    return value.time if isinstance(value, Hit) else NOON
