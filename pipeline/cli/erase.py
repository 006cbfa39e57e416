"""``masir erase``: forgets a person, prints a receipt."""

import asyncio
import time
from pathlib import Path

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, is_terminal, runner, settings_of, told
from pipeline.core.suppression import digest
from pipeline.settings import Settings
from pipeline.store.query_socket import is_listening
from pipeline.transport.erasures import ErasureRequests
from pipeline.transport.log import DATABASE

EXAMPLES = """
\b
Examples:
  masir erase --site shop --user anna@example.com
  masir erase --site shop --visitor 3f1c9a --json > receipt.json
  masir erase --site shop --user anna@example.com --readmit     (a new contract: new hits may come in)
"""
POLL_SECONDS = 0.2
GRACE_SECONDS = 600.0


@click.command(epilog=EXAMPLES)
@click.option("--site", required=True, help="The site that knows the person.")
@click.option("--user", help="The person's user id. Browsers that were this person's alone go with it.")
@click.option("--visitor", help="The id of a browser, device or app of somebody without a user id.")
@click.option("--readmit", is_flag=True, help="Erase nothing: what the person does from now on may come in.")
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as one JSON object.")
def erase(
    site: str, user: str | None, visitor: str | None, readmit: bool, data: str | None, as_json: bool
) -> None:
    """Forget a person: hits, sessions, journeys, signals, state, topics, dead letters; and keep them out.

    Works beside a running Masir, and without; over Kafka the workers do it. Sums in which the person was counted
    stay: they name nobody.
    """
    if bool(user) == bool(visitor):
        raise Wrong("one of --user and --visitor is wanted")
    settings = settings_of(data=data)
    who = (site, "u", user) if user else (site, "v", visitor or "")
    try:
        if readmit:
            click.echo("may come in again" if _readmit(settings, *who) else "was not kept out")
        else:
            _show(_erase(settings, *who), as_json=as_json)
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _readmit(settings: Settings, site: str, kind: str, an_id: str) -> bool:
    if settings.broker:
        from pipeline.transport.kafka import control  # with what it needs a quarter of a second

        return asyncio.run(control.readmit(settings, site, kind, an_id))
    requests = ErasureRequests(_directory(settings))
    return bool(requests.readmit([digest(requests.key, site, kind, an_id)]))


def _erase(settings: Settings, site: str, kind: str, an_id: str) -> bytes:
    """The receipt."""
    now_ms = time.time_ns() // 1_000_000
    if not settings.broker:
        requests = ErasureRequests(_directory(settings))
        return _do(settings, requests, requests.ask(site, kind, an_id, now_ms))
    from pipeline.transport.kafka import control

    if is_terminal():
        click.echo("asking the workers ...", err=True)
    receipt = asyncio.run(control.ask(settings, site, kind, an_id, now_ms=now_ms, seconds=GRACE_SECONDS))
    if receipt is None:
        raise Wrong(
            "the request is not done yet: the workers go on with it, see the log of the one with the store"
        )
    return receipt


def _directory(settings: Settings) -> Path:
    directory = Path(settings.data)
    if not (directory / DATABASE).exists():
        raise Wrong(f"{directory} is no data directory of Masir: there is no {DATABASE}")
    return directory


def _do(settings: Settings, requests: ErasureRequests, number: int) -> bytes:
    """Asks the process that has the directory, if there is one, or does it here."""
    if not is_listening(Path(settings.data)):
        asyncio.run(runner("erase")(settings))
    elif is_terminal():
        click.echo("asking the running Masir ...", err=True)
    deadline = time.monotonic() + GRACE_SECONDS
    while (receipt := requests.receipt(number)) is None:
        if time.monotonic() > deadline:
            raise Wrong(f"request {number} is not done yet: the running Masir goes on with it, see its log")
        time.sleep(POLL_SECONDS)
    return receipt


def _show(receipt: bytes, *, as_json: bool) -> None:
    if as_json:
        click.echo(receipt)
        return
    said = msgspec.json.decode(receipt)
    for name, value in said.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items()) or "nothing"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, list):
            value = "; ".join(value)
        click.echo(f"{name.replace('_', ' ')}: {value}")
    if not said.get("found", True):
        click.echo(
            "Nobody of that id is known here. What comes under it from now on is kept out; --readmit lets it in."
        )
