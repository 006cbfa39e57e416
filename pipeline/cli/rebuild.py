"""``masir rebuild``: makes the history of changed stage models anew from stored hits."""

import asyncio
import time
from pathlib import Path

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, is_terminal, runner, settings_of, told
from pipeline.core.models import load
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings
from pipeline.store.query_socket import is_listening
from pipeline.transport.kafka.control import ask_to_rebuild
from pipeline.transport.kafka.known_models import Asked as ToRebuild
from pipeline.transport.log import DATABASE
from pipeline.transport.rebuilds import RebuildRequests
from pipeline.zones import in_utc

EXAMPLES = """
\b
Examples:
  masir rebuild --model classic5
  masir rebuild --model trial --model loyalty5 --data ./data --json
  masir rebuild --model trial --broker kafka://broker-1:9092
"""
MOST_SECONDS = 24 * 3600.0
POLL_SECONDS = 0.2


@click.command(epilog=EXAMPLES)
@click.option(
    "--model", "models", multiple=True, required=True, help="A model that was changed, added or taken away."
)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option(
    "--broker", metavar="URL", help="Kafka, whose workers are asked.  [default: the setting `broker`]"
)
@click.option(
    "--from-what-is-kept", is_flag=True, help="Go on where ttl_days lets hits go: see docs/stage-models.md."
)
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as one JSON object.")
def rebuild(
    models: tuple[str, ...], data: str | None, broker: str | None, from_what_is_kept: bool, as_json: bool
) -> None:
    """Hold stored hits against the stage models as their files are now; correct what was said.

    Afterwards stages, transitions and gauges are as if the models had always been so. Works beside a running Masir,
    which takes hits meanwhile and closes sessions; stages wait. Without one it is done here; over Kafka the workers do
    it, whose model files must be the same as here. May be broken off and run again.
    """
    settings = settings_of(data=data, broker=broker)
    if (days := settings.ttl_days.get("hits")) and not from_what_is_kept:
        raise Wrong(
            f"ttl_days: hits are kept for {days} days. What persons did before is known only as far as the models "
            "looked at it then, without props, score and goal. If that will do: --from-what-is-kept"
        )
    try:
        found = load(texts_in_force(settings.models))  # says what is wrong with them
        receipt = (
            _ask(settings, ToRebuild(models, found.digests)) if settings.broker else _do(settings, models)
        )
    except KNOWN_ERRORS as error:
        raise told(error) from error
    _show(receipt, as_json=as_json)
    if settings.broker and not as_json:
        click.echo(
            "said again a moment later, and not counted here: what hangs on touchpoints of other partitions"
        )


def _ask(settings: Settings, asked: ToRebuild) -> bytes:
    """Asks the workers."""
    if is_terminal():
        click.echo("asking the workers ...", err=True)
    receipt = asyncio.run(ask_to_rebuild(settings, asked, seconds=MOST_SECONDS))
    if receipt is None:
        raise Wrong("the request is not done yet: see the workers' logs")
    return receipt


def _do(settings: Settings, models: tuple[str, ...]) -> bytes:
    """Asks the process that has the directory, if there is one, or does it here."""
    directory = Path(settings.data)
    if not (directory / DATABASE).exists():
        raise Wrong(f"{directory} is no data directory of Masir: there is no {DATABASE}")
    requests = RebuildRequests(directory)
    number = requests.ask(models)
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
    if found["hits_since"]:
        since = in_utc(found["hits_since"])
        click.echo(
            f"before {since}, of which hits are not kept: {found['remembered']:,} touchpoints that were remembered"
        )
    if found["transitions_since"]:
        click.echo(f"transitions before {in_utc(found['transitions_since'])} are as they were")
    click.echo(
        f"transitions withdrawn: {found['withdrawn']:,}; said: {found['said']:,} ({by_model or 'none'})"
    )
