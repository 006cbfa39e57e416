"""Rows by hand, in days and hours."""

from collections.abc import Iterable, Sequence
from itertools import count, pairwise
from typing import Any

from store.credits import credit
from store.kit import DAY_0, Row, hit, hit_table, session

from pipeline.store.blocks import to_arrow
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from schemas.session import Session
from schemas.transition import Kind, Transition

__all__ = ["DAY", "DAY_0", "HOUR", "order", "put", "table", "visit", "walk"]

HOUR = 3_600_000
DAY = 24 * HOUR
_tokens = count()  # a block with the token of another is taken for the same
STAGES = ["awareness", "consideration", "purchase", "retention"]


def put(
    sink: Sink,
    hits: Iterable[Row] = (),
    sessions: Iterable[Session] = (),
    transitions: Iterable[Transition] = (),
) -> None:
    token = f"{next(_tokens)}"
    sink.insert("hits", hit_table(hits), token)
    sink.insert("sessions", to_arrow("sessions", list(sessions)), token)
    sink.insert("transitions", to_arrow("transitions", list(transitions)), token)
    credit(sink)


def table(client: Client, view: str, columns: str = "*", where: str = "1") -> list[tuple[Any, ...]]:
    return client.query(f"SELECT {columns} FROM {view} WHERE {where} ORDER BY ALL")


def order(at: int, person: str, revenue: float, order_id: str = "", **fields: Any) -> Row:
    micros = round(revenue * 1_000_000)
    values = {
        "event": "purchase",
        "goal": True,
        "revenue_micros": micros,
        "currency": "EUR",
        "order_id": order_id,
    }
    return hit(at, person, **(values | fields))


def visit(at: int, person: str, channel: str = "direct", **fields: Any) -> Session:
    """A session of a minute, named by person and time."""
    values = {"visitor_id": person, "person_id": person, "channel": channel}
    return session(at, at + 60_000, f"{person}-{at}", **(values | fields))


def walk(client: Client, person: str, *steps: tuple[int, str], site: str = "shop") -> list[Transition]:
    """The transitions of a person who enters these stages of the model `m` at these times; stage "" is a lapse."""
    set_stages(client, {"m": STAGES}, {"m": 30})
    found: list[Transition] = []
    before: Sequence[tuple[int, str]] = [(0, ""), *steps]
    for number, ((_, was), (time, stage)) in enumerate(pairwise(before)):
        since = steps[number - 1][0] if number else time
        found.append(
            Transition(
                site=site, person_id=person, model="m", from_stage=was, to_stage=stage, kind=_kind(was, stage),
                time=DAY_0 + time, ordinal=number, dwell_ms=time - since if was else 0, cause_event="page_view",
                cause_url="/", cause_channel="direct", cause_session_id="", withdrawn=False, version=1,
            )
        )  # fmt: skip
    return found


def _kind(was: str, stage: str) -> Kind:
    if not was:
        return Kind.ENTER
    if not stage:
        return Kind.LAPSE
    return Kind.ADVANCE if STAGES.index(stage) > STAGES.index(was) else Kind.REGRESS
