"""Masir's own job written the plain Faust way: an agent per hop, one event at a time, tables, a message per result.

The hops are Masir's and so are the decisions: its classifier of channels and devices, goals and five stage models are
asked about one hit after the other. The rows of hits, sessions and transitions go to topics, and from there, in blocks
of ``stream.take`` as Faust's documentation has it, into the same tables of the same engine. Left out, to the peer's
gain: exactly-once, late hits, merging and corrections, identity, signals, attribution, trailing windows.
"""

# mypy: disable-error-code="misc, call-arg, no-any-return, untyped-decorator"
# (Faust has no types.)

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faust
import msgspec
import pyarrow as pa

from bench.faust_records import HITS_TOPIC, PARTITIONS, TIMEOUT_MS, Hit, Progress
from pipeline.core.channels import Classifier
from pipeline.core.goals import VIEWS, Goals
from pipeline.core.ids import SEPARATOR, session_id
from pipeline.core.models import Models, load
from pipeline.core.stage_fold import State, Step, advance, nowhere
from pipeline.model_files import builtin_texts
from pipeline.store.client import Client, connect
from pipeline.store.migrations import migrate
from schemas.evidence import Evidence
from schemas.rows import NULLABLE
from schemas.rows import TABLES as ROWS

TABLES = ("seen_ids", "visits", "journeys", "ledger", "windows")
TOPICS = ("rows_of_hits", "rows_of_sessions", "rows_of_transitions", "evidence", "closed")
BLOCK_ROWS = 5_000
BLOCK_SECONDS = 1.0
HOUR_MS = 3_600_000
_encode = msgspec.json.Encoder().encode
_state = msgspec.json.Decoder(State).decode


def build(app: faust.App, progress: Progress) -> None:
    """All hops on the app; ``progress`` counts the hits whose rows are stored."""
    tables = {name: app.Table(name, partitions=PARTITIONS) for name in TABLES}
    hits, sessions, transitions, evidence, closed = (
        app.topic(name, partitions=PARTITIONS, value_serializer="json") for name in TOPICS
    )
    _sessionize(app, tables, hits, sessions, evidence, closed, progress)
    _move(app, tables, evidence, transitions)
    _count(app, tables, closed)
    client = connect(Path(tempfile.mkdtemp()) / "clickhouse")
    migrate(client)
    for topic, name in ((hits, "hits"), (sessions, "sessions"), (transitions, "transitions")):
        _store(app, topic, client, name, progress if topic is hits else None)


def _sessionize(
    app: faust.App,
    tables: Mapping[str, Any],
    hits: Any,
    sessions: Any,
    evidence: Any,
    closed: Any,
    progress: Progress,
) -> None:
    classifier, goals = Classifier(), Goals()
    seen, visits, ledger = tables["seen_ids"], tables["visits"], tables["ledger"]

    @app.agent(app.topic(HITS_TOPIC, value_type=Hit))
    async def sessionize(stream: faust.StreamT[Hit]) -> None:
        async for hit in stream:
            progress.begin()
            if seen.get(hit.hit_id) == hit.visitor_id:
                ledger["duplicate"] = ledger.get("duplicate", 0) + 1
                continue
            seen[hit.hit_id] = hit.visitor_id
            device = classifier.device(hit.user_agent)
            traffic = classifier.traffic(hit.url, hit.referrer)
            goal = goals.matches(hit.event, hit.url)
            outcome = "bot" if device.bot else "sessionized"
            ledger[outcome] = ledger.get(outcome, 0) + 1
            visit = visits.get(hit.visitor_id)
            if visit is not None and hit.time - visit["end_time"] > TIMEOUT_MS:
                row = visit | {"closed": True, "duration_ms": visit["end_time"] - visit["start_time"]}
                row |= {"bounced": visit["page_views"] == 1, "converted": visit["conversions"] > 0}
                await sessions.send(key=hit.visitor_id, value=row)
                await closed.send(key=hit.site, value=row)
                visit = None
            if visit is None:
                visit = _begun(hit, traffic, device)
            visit = visit | {
                "end_time": max(visit["end_time"], hit.time),
                "hits": visit["hits"] + 1,
                "page_views": visit["page_views"] + (hit.event in VIEWS),
                "conversions": visit["conversions"] + goal,
                "exit_url": hit.url,
            }
            visits[hit.visitor_id] = visit
            await hits.send(key=hit.visitor_id, value=_hit_row(hit, visit, device, outcome, goal=goal))
            touched = [hit.event, hit.url, traffic.channel, goal, hit.time, visit["session_id"], hit.site]
            await evidence.send(key=hit.visitor_id, value=[hit.visitor_id, *touched])


def _begun(hit: Hit, traffic: Any, device: Any) -> dict[str, Any]:
    """The row of a session that a hit begins."""
    words = {"site": hit.site, "visitor_id": hit.visitor_id, "person_id": hit.visitor_id}
    words |= {
        "session_id": session_id(f"{hit.site}{SEPARATOR}v{hit.visitor_id}", hit.time),
        "language": hit.language,
    }
    words |= {"entry_url": hit.url, "referrer": hit.referrer, "channel": traffic.channel}
    words |= {"device": device.device, "browser": device.browser, "os": device.os}
    return words | {
        "start_time": hit.time,
        "end_time": hit.time,
        "hits": 0,
        "page_views": 0,
        "conversions": 0,
    }


def _hit_row(hit: Hit, visit: dict[str, Any], device: Any, outcome: str, *, goal: bool) -> dict[str, Any]:
    fields = {name: getattr(hit, name) for name in ("hit_id", "site", "event", "visitor_id", "url")}
    fields |= {"referrer": hit.referrer, "title": hit.title, "language": hit.language}
    fields |= {"event_time": hit.time, "received_time": hit.time, "person_id": hit.visitor_id}
    fields |= {"device": device.device, "browser": device.browser, "os": device.os, "bot": device.bot}
    fields |= {"channel": visit["channel"], "outcome": outcome, "goal": goal}
    return fields | {"session_id": visit["session_id"]}


def _move(app: faust.App, tables: Mapping[str, Any], evidence: Any, transitions: Any) -> None:
    models = load(builtin_texts())
    journeys = tables["journeys"]

    @app.agent(evidence)
    async def move(stream: faust.StreamT[Any]) -> None:
        async for person, event, url, channel, goal, time, session, site in stream:
            rules = models.touchpoint(event, url, channel, goal, None, None)
            if not rules:
                continue
            known = journeys.get(person)
            state = nowhere(models) if known is None else _state(known)
            found = Evidence(time, rules, event, url, channel, session)
            for step in advance(models, state, found, models.plan_of((rules, event, channel))):
                await transitions.send(key=person, value=_transition_row(models, site, person, step))
            journeys[person] = _encode(state).decode()


def _transition_row(models: Models, site: str, person: str, step: Step) -> dict[str, Any]:
    model = models.models[step.model]
    names = ("", *(stage.id for stage in model.stage))
    row: dict[str, Any] = {"site": site, "person_id": person, "model": model.name, "time": step.time}
    row |= {"from_stage": names[step.from_stage], "to_stage": names[step.to_stage]}
    row |= {"ordinal": step.ordinal, "dwell_ms": step.dwell_ms, "cause_url": step.cause.url}
    return row | {"cause_event": step.cause.event, "cause_session_id": step.cause.session_id}


def _count(app: faust.App, tables: Mapping[str, Any], closed: Any) -> None:
    windows = tables["windows"]

    @app.agent(closed)
    async def count(stream: faust.StreamT[Any]) -> None:
        async for row in stream:
            hour = (row["end_time"] + TIMEOUT_MS) // HOUR_MS
            for channel in (row["channel"], "all"):
                key = f"{row['site']} {channel} {hour}"
                sums = windows.get(key) or [0, 0, 0, 0]
                one = (1, int(row["bounced"]), int(row["converted"]), row["duration_ms"])
                windows[key] = [a + b for a, b in zip(sums, one, strict=True)]


def _store(app: faust.App, topic: Any, client: Client, name: str, progress: Progress | None) -> None:
    schema = ROWS[name]
    empty = {field.name: "" if pa.types.is_string(field.type) else None for field in schema}
    empty |= {
        field.name: 0 for field in schema if pa.types.is_integer(field.type) and field.name not in NULLABLE
    }
    empty |= {field.name: False for field in schema if pa.types.is_boolean(field.type)}
    blocks = 0

    async def store(stream: faust.StreamT[Any]) -> None:
        nonlocal blocks
        async for rows in stream.take(BLOCK_ROWS, within=BLOCK_SECONDS):
            blocks += 1
            table = pa.Table.from_pylist([empty | row for row in rows], schema=schema)
            client.insert_arrow(f"{name}_rows", table, f"{name} {blocks}")
            if progress is not None:
                progress.add(len(rows))

    app.agent(topic, name=f"store_{name}")(store)
