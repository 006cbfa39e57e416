"""``masir schema``: the records as JSON Schema."""

from typing import Any

import click
import msgspec

from schemas.counter import CounterRow
from schemas.hit import Hit
from schemas.outcome import DeadLetter, LedgerRow
from schemas.session import Session, SessionMove
from schemas.signal import Signal
from schemas.transition import Transition



class HitAsJson(Hit):
    """The hit, with the two fields that Masir passes on unparsed as what they are."""

    props: dict[str, Any] = {}
    items: list[Any] = []


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
