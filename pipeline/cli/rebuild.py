"""``masir rebuild``: makes the history of changed stage models anew from stored hits."""

import asyncio
import time
from pathlib import Path

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, is_terminal, runner, settings_of, told
from pipeline.core.models import load
from pipeline.model_files import builtin_texts, read_texts
from pipeline.settings import Settings
from pipeline.store.query_socket import is_listening
from pipeline.transport.log import DATABASE
from pipeline.transport.rebuilds import RebuildRequests

EXAMPLES = """
\b
Examples:
  masir rebuild --model classic5
  masir rebuild --model trial --model loyalty5 --data ./data --json
"""
POLL_SECONDS = 0.2
_FORGETFUL = ("hits", "transitions")


@click.command(epilog=EXAMPLES)
@click.option(
    "--model", "models", multiple=True, required=True, help="A model that was changed, added or taken away."
)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as one JSON object.")
def rebuild(models: tuple[str, ...], data: str | None, as_json: bool) -> None:
    """Hold stored hits against the stage models as their files are now; correct what was said.

    Afterwards stages, transitions and gauges are as if the models had always been so. Works beside a running Masir,
    which takes hits meanwhile and closes sessions; stages wait. Without one it is done here. May be broken off and run
    again.
    """
    settings = settings_of(data=data)
    if settings.broker:
        raise Wrong(
            "masir rebuild works on a data directory, not over Kafka yet: start with a new broker_prefix and send "
            "the hits again"
        )
    directory = Path(settings.data)
    if not (directory / DATABASE).exists():
        raise Wrong(f"{directory} is no data directory of Masir: there is no {DATABASE}")
    if forgotten := [table for table in _FORGETFUL if settings.ttl_days.get(table)]:
        raise Wrong(
            f"ttl_days: {' and '.join(forgotten)} are not kept for ever, so the history before that cannot be made anew"
        )
    try:
        load(
            {**builtin_texts(), **read_texts(map(Path, settings.models))}
        )  # what is wrong with them is said at once
        requests = RebuildRequests(directory)
        receipt = _do(settings, requests, requests.ask(models))
    except KNOWN_ERRORS as error:
        raise told(error) from error
    _show(receipt, as_json=as_json)


def _do(settings: Settings, requests: RebuildRequests, number: int) -> bytes:
    """Asks the process that has the directory, if there is one, or does it here."""
    if not is_listening(Path(settings.data)):
        asyncio.run(runner("rebuild")(settings))
    elif is_terminal():
        click.echo("asking the running Masir ...", err=True)
    while (receipt := requests.receipt(number)) is None:
        if not is_listening(Path(settings.data)):
            raise Wrong(f"request {number} is not done, and Masir does not run any more: run this again")
        time.sleep(POLL_SECONDS)
    return receipt


def _show(receipt: bytes, *, as_json: bool) -> None:
    found = msgspec.json.decode(receipt)
    if found["refused"]:
        raise Wrong(found["refused"])
    if as_json:
        click.echo(receipt)
        return
    by_model = ", ".join(f"{name} {rows}" for name, rows in sorted(found["by_model"].items()))
    click.echo(f"{found['hits']:,} hits matched in {found['seconds']:.1f} s")
    click.echo(
        f"transitions withdrawn: {found['withdrawn']:,}; said: {found['said']:,} ({by_model or 'none'})"
    )
