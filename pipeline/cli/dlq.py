"""``masir dlq``: dead letters, and how to bring them in after the fix."""

import asyncio
import base64
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, runner, settings_of, told, visible
from pipeline.core.letters import mended, readable
from pipeline.settings import Settings
from pipeline.store.client import rows
from pipeline.store.place import reader_of
from pipeline.store.query_socket import is_listening
from pipeline.transport.kafka.publish import append_hits
from schemas.hit import Hit
from schemas.outcome import Reason

_ID = "concat('dlq-', topic, '-', toString(partition), '-', toString(offset))"
LETTERS = f"""
SELECT topic, partition, offset, reason, field, message, site, received_time, base64Encode(raw) AS raw,
       if(JSONExtractString(raw, 'hit_id') = '', {_ID}, JSONExtractString(raw, 'hit_id')) AS id,
       id IN (SELECT hit_id FROM hits WHERE hit_id != '') AS came_in
FROM dead_letters
"""
_REASONS = "SELECT reason, count() AS letters FROM dead_letters"
_SHOWN_BYTES = 4_000
_HEADINGS = ("id", "received", "reason", "field", "site", "came in", "message")

data_option = click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
reason_option = click.option(
    "--reason", type=click.Choice([reason.value for reason in Reason]), help="Only those of this reason."
)


@click.group()
def dlq() -> None:
    """Dead letters: hits that could not be read, each kept with its bytes, the reason and where it came from."""


@dlq.command(epilog="\b\nExample:\n  masir dlq ls --reason missing_field")
@data_option
@reason_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ls(data: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """List the dead letters, the newest first, and how many there are of each reason. In a pipe: lines with tabs."""
    settings = settings_of(data=data)
    counted = f"{_REASONS} {_where(reason)} GROUP BY reason ORDER BY letters DESC, reason"
    letters, counts = _asked(settings, f"{_newest(reason)} LIMIT {limit}", counted)
    reasons = {row["reason"]: row["letters"] for row in counts}
    if as_json:
        click.echo(msgspec.json.encode({"letters": letters, "reasons": reasons}))
        return
    lines = [_cells(letter) for letter in letters]
    if sys.stdout.isatty():
        table = Table(Column(_HEADINGS[0], no_wrap=True), *_HEADINGS[1:])
        for line in lines:
            table.add_row(*map(Text, line))
        Console().print(table)
    else:
        for cells in (_HEADINGS, *lines):
            click.echo("\t".join(cells))
    total, shown = sum(reasons.values()), len(letters)
    of_each = ", ".join(f"{count:,} {name}" for name, count in reasons.items())
    rest = f"; the newest {shown:,} are shown, --limit shows more" if shown < total else ""
    click.echo(f"{total:,} dead letters{f': {of_each}' if of_each else ''}{rest}")


def _cells(letter: dict[str, Any]) -> list[str]:
    values = [letter[name] for name in ("id", "received_time", "reason", "field", "site")]
    came_in = "yes" if letter["came_in"] else "no"
    return [visible(str(value)) for value in (*values, came_in, letter["message"])]


@dlq.command(epilog="\b\nExample:\n  masir dlq show dlq-hits-2-1041")
@click.argument("letter")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; `raw`: the bytes in base64.")
def show(letter: str, data: str | None, as_json: bool) -> None:
    """Show one dead LETTER with its bytes."""
    found = [one for one in _letters(settings_of(data=data), None) if one["id"] == letter]
    if not found:
        raise Wrong(f"no dead letter {letter}; `masir dlq ls` lists them")
    if as_json:
        click.echo(msgspec.json.encode(found[0]))
        return
    for name, value in found[0].items():
        if name != "raw":
            click.echo(f"{name}: {visible(str(value))}")
    raw = base64.b64decode(found[0]["raw"])
    click.echo(f"bytes ({len(raw)}): {raw[:_SHOWN_BYTES]!r}")


@dlq.command(
    epilog="\b\nExamples:\n  masir dlq replay\n  masir dlq replay --reason missing_field --set site=shop"
)
@data_option
@reason_option
@click.option(
    "--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Mend the letters: set this field of each."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(data: str | None, reason: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Send dead letters into the pipeline again, after the fix: a newer Masir, or --set.

    Letters that can still not be read stay where they are. A letter without a hit_id gets its own id, so
    replaying twice counts it once.
    """
    settings = settings_of(data=data)
    letters = [letter for letter in _letters(settings, reason) if not letter["came_in"]]
    values = _values(sets)
    hits = [mended(base64.b64decode(letter["raw"]), letter["id"], values) for letter in letters]
    is_running = bool(settings.broker) or is_listening(Path(settings.data))
    good = readable(hits, time.time_ns() // 1_000_000, knows_received=is_running)
    if good:
        _send(settings, good)
    summary = {
        "letters": len(letters),
        "replayed": len(good),
        "still_unreadable": len(hits) - len(good),
    }
    if as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        click.echo(", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in summary.items()))


def _letters(settings: Settings, reason: str | None) -> list[dict[str, Any]]:
    return _asked(settings, _newest(reason))[0]


def _newest(reason: str | None) -> str:
    return f"{LETTERS} {_where(reason)} ORDER BY received_time DESC, partition, offset DESC"


def _where(reason: str | None) -> str:
    return f"WHERE reason = '{reason}'" if reason else ""


def _asked(settings: Settings, *queries: str) -> list[list[dict[str, Any]]]:
    try:
        with closing(reader_of(settings)) as reader:
            return [rows(reader, query) for query in queries]
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _values(sets: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option in sets:
        field, sign, text = option.partition("=")
        if not sign or not field:
            raise Wrong(f"--set {option}: FIELD=VALUE is expected")
        if field not in Hit.__struct_fields__:
            raise Wrong(
                f"--set {option}: a hit has no such field; there is {', '.join(Hit.__struct_fields__)}"
            )
        try:
            values[field] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            values[field] = text
    return values


def _send(settings: Settings, hits: list[bytes]) -> None:
    """To the workers' topic, or to the running pipeline if there is one, else through the agents in this process."""
    try:
        if settings.broker:
            asyncio.run(append_hits(settings, hits, now_ms=time.time_ns() // 1_000_000))
        elif is_listening(Path(settings.data)):
            runner("append")(settings, hits)
        else:
            asyncio.run(runner("process")(settings, zip(hits), with_store=lambda *_: None))
    except KNOWN_ERRORS as error:
        raise told(error) from error
