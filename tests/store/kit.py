"""Rows for the store's tests, and a naive sessionizer whose answers the SQL must repeat."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import md5
from itertools import count, pairwise
from typing import Any

import pyarrow as pa

from pipeline.store.blocks import to_arrow
from pipeline.store.checks import Rules
from pipeline.store.sink import Sink
from schemas.counter import CounterRow
from schemas.outcome import LedgerRow, Outcome
from schemas.rows import HIT_ROWS
from schemas.session import Session

DAY_0 = 1_767_225_600_000  # 2026-01-01 UTC
MINUTE = 60_000

Row = dict[str, Any]

_offsets = count()
_TEXT_FIELDS = [field.name for field in HIT_ROWS if field.type == pa.string()]
_DEFAULTS: Row = dict.fromkeys(_TEXT_FIELDS, "") | {
    "site": "shop",
    "event": "page_view",
    "outcome": "sessionized",
    "channel": "direct",
    "revenue_micros": None,
    "score": None,
    "scale": None,
    "bot": False,
    "goal": False,
    "clock_clamped": False,
    "source_partition": 0,
}


def hit(at: int, visitor_id: str = "ann", **fields: Any) -> Row:
    """A row of ``hits``; ``at``: ms after DAY_0."""
    unknown = fields.keys() - set(HIT_ROWS.names)
    assert not unknown, unknown
    user_id = fields.get("user_id", "")
    row = _DEFAULTS | {
        "visitor_id": visitor_id,
        "person_id": user_id or visitor_id,
        "event_time": DAY_0 + at,
        "received_time": DAY_0 + at,
        "source_offset": next(_offsets),
    }
    return row | fields


def hit_table(hits: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(hits), schema=HIT_ROWS)


def session(start: int, end: int, session_id: str, **fields: Any) -> Session:
    """A record of a session with the least said of it; times in ms after DAY_0."""
    values: Row = dict.fromkeys(Session.__struct_fields__, "")
    values |= dict.fromkeys(("hits", "page_views"), 1) | {"conversions": 0, "revenue_micros": 0}
    values |= {"bounced": False, "converted": False, "closed": True, "withdrawn": False, "version": 1}
    values |= {
        "session_id": session_id,
        "site": "shop",
        "visitor_id": "ann",
        "person_id": "ann",
        "channel": "direct",
    }
    values |= {"start_time": DAY_0 + start, "end_time": DAY_0 + end, "duration_ms": end - start}
    return Session(**(values | fields))


def visitor_of(row: Row) -> tuple[str, str, str]:
    return row["site"], *(("v", row["visitor_id"]) if row["visitor_id"] else ("u", row["user_id"]))


def sessions_of(hits: list[Row], rules: Rules) -> list[Session]:
    """What the stream must say of these hits. Gives each hit its session_id."""
    by_visitor = defaultdict(list)
    for row in hits:
        if row["outcome"] == "sessionized":
            by_visitor[visitor_of(row)].append(row)
    sessions = []
    for visitor, rows in by_visitor.items():
        rows.sort(key=lambda row: row["event_time"])
        part = [rows[0]]
        for before, row in pairwise(rows):
            if row["event_time"] - before["event_time"] > rules.timeout_ms:
                sessions.append(_one_session(visitor, part, rules))
                part = []
            part.append(row)
        sessions.append(_one_session(visitor, part, rules))
    return sessions


_ENTRY = [
    "url", "referrer", "channel", "campaign_source", "campaign_medium", "campaign_name", "campaign_term",
    "campaign_content", "campaign_id", "device", "browser", "os", "country", "language",
]  # fmt: skip


def _one_session(visitor: tuple[str, str, str], rows: list[Row], rules: Rules) -> Session:
    site, kind, name = visitor
    start, end = rows[0]["event_time"], rows[-1]["event_time"]
    session_id = md5(f"{visitor}{start}".encode()).hexdigest()
    for row in rows:
        row["session_id"] = session_id
    views = [row for row in rows if row["event"] in ("page_view", "screen_view")]
    goals = [row for row in rows if row["goal"]]
    entry = min(
        rows, key=lambda row: (row["event_time"], row["url"] == "", *(row[field] for field in _ENTRY))
    )
    seen = [(row["event_time"], row["url"] == "", row["url"]) for row in views or rows]
    users = sorted((row["event_time"], row["user_id"]) for row in rows if row["user_id"])
    user_id = users[-1][1] if users else ""
    bounced = {
        "pages": len(views) == 1,
        "plausible": len(views) == 1 and len(rows) == 1,
        "ga4": len(views) == 1 and not goals and end - start < 10_000,
    }[rules.bounce]
    return Session(
        session_id=session_id,
        site=site,
        visitor_id=name if kind == "v" else "",
        user_id=user_id,
        person_id=user_id or name,
        start_time=start,
        end_time=end,
        duration_ms=end - start,
        hits=len(rows),
        page_views=len(views),
        entry_url=min(seen)[2],
        exit_url=max((time, url) for time, _, url in seen)[1],
        **{field: entry[field] for field in _ENTRY[1:]},
        bounced=bounced,
        converted=bool(goals),
        conversions=len(goals),
        revenue_micros=sum(row["revenue_micros"] or 0 for row in goals),
        closed=True,
        withdrawn=False,
        version=1,
    )


def counters_of(sessions: Iterable[Session], rules: Rules) -> list[CounterRow]:
    panes: dict[tuple[str, str, int], CounterRow] = {}
    for s in sessions:
        pane = (s.end_time + rules.timeout_ms) // rules.pane_ms * rules.pane_ms
        row = panes.setdefault(
            (s.site, s.channel, pane), CounterRow(s.site, s.channel, pane, rules.pane_ms, 0, 0, 0, 0, 0, 0, 1)
        )
        row.sessions += 1
        row.counted += s.page_views > 0
        row.bounced += s.bounced
        row.converted += s.converted
        row.duration_ms += s.duration_ms
        row.revenue_micros += s.revenue_micros
    return list(panes.values())


def ledger_of(hits: Iterable[Row]) -> list[LedgerRow]:
    outcomes = Counter((row["source_partition"], row["site"], row["outcome"]) for row in hits)
    return [
        LedgerRow(partition, site, Outcome(outcome), hits, 1)
        for (partition, site, outcome), hits in outcomes.items()
    ]


def store_what_the_stream_says(sink: Sink, hits: list[Row], rules: Rules) -> None:
    """Fill a store as a faultless stream would."""
    sessions = sessions_of(hits, rules)
    sink.insert("hits", hit_table(hits), "hits")
    sink.insert("sessions", to_arrow("sessions", sessions), "sessions")
    sink.insert("counters", to_arrow("counters", counters_of(sessions, rules)), "counters")
    sink.insert("ledger", to_arrow("ledger", ledger_of(hits)), "ledger")
