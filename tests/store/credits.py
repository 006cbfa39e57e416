"""The rows of `attribution` for a store that a test has filled by hand: what the persons' hop would have said."""

from itertools import count

from pipeline.core.persons.attribution import attribute
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.people import credit_row
from pipeline.store.blocks import to_arrow
from pipeline.store.sink import Sink
from schemas.touchpoint import Touch

_versions = count(1)
_KINDS = {"purchase": Touch.ORDER, "refund": Touch.REFUND, "survey_response": Touch.CSAT}


def credit(sink: Sink) -> None:
    """Of all conversions that are stored now."""
    client = sink._client
    notes: dict[tuple[str, str], list[Note]] = {}
    asked = (
        "SELECT site, person_id, toUnixTimestamp64Milli(event_time), event, order_id, "
        "toInt64(toDecimal128(ifNull(revenue, 0), 6) * 1000000), currency, channel, goal "
        "FROM hits WHERE (goal = 1 OR event = 'refund') AND outcome IN ('sessionized', 'background', 'late')"
    )
    for site, person, time, event, order_id, micros, currency, channel, goal in client.query(asked):
        kind = _KINDS.get(event, Touch.GOAL)
        # Sessions made by hand need not cover their conversions, so that none waits for its own.
        note = Note(time, kind, event, order_id, micros, currency, channel, bool(goal), False, True)
        notes.setdefault((site, person), []).append(note)
    visits: dict[tuple[str, str], list[Visit]] = {}
    asked = (
        "SELECT site, person_id, toUnixTimestamp64Milli(end_time), toUnixTimestamp64Milli(start_time), session_id, "
        "channel FROM sessions WHERE closed = 1"
    )
    for site, person, *fields in client.query(asked):
        visits.setdefault((site, person), []).append(Visit(*fields, known=True))
    version = next(_versions)
    rows = [
        credit_row(site, person, one, version, withdrawn=False)
        for (site, person), mine in notes.items()
        for one in attribute(sorted(mine), visits.get((site, person), []), -(1 << 62), 1 << 62)
    ]
    sink.insert("attribution", to_arrow("attribution", rows), f"credits {version}")
