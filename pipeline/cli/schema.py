"""``masir schema``: the records as JSON Schema."""

from typing import Any

import click
import msgspec
from msgspec import Raw
from msgspec.structs import fields

from schemas.counter import CounterRow
from schemas.hit import Hit
from schemas.outcome import DeadLetter, LedgerRow
from schemas.session import Session, SessionMove
from schemas.signal import Signal
from schemas.transition import Transition

HitAsJson = msgspec.defstruct(
    "Hit",
    [
        *[
            (f.name, f.type, f.default) if not f.required else (f.name, f.type)
            for f in fields(Hit)
            if f.type is not Raw
        ],
        ("props", dict[str, Any], msgspec.field(default_factory=dict)),
        ("items", list[Any], msgspec.field(default_factory=list)),
    ],
)
"""The hit, with the two fields that Masir passes on unparsed as what they are."""

RECORDS: dict[str, type[msgspec.Struct]] = {
    "hit": HitAsJson,
    "session": Session,
    "session_move": SessionMove,
    "transition": Transition,
    "signal": Signal,
    "counter": CounterRow,
    "dead_letter": DeadLetter,
    "ledger": LedgerRow,
}
EXAMPLES = """
\b
Examples:
  masir schema hit > hit.schema.json
  masir schema            (all of them, as one object)
"""


def json_schema(record: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a record."""
    schema: dict[str, Any] = msgspec.json.schema(record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@click.command(epilog=EXAMPLES)
@click.argument("record", required=False, type=click.Choice(list(RECORDS)))
def schema(record: str | None) -> None:
    """Print the JSON Schema of a record that travels on a topic, or of all."""
    found = json_schema(RECORDS[record]) if record else {name: json_schema(r) for name, r in RECORDS.items()}
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
