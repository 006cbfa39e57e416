"""``masir collect``: the collector of the distributed form."""

import asyncio
from typing import Any

import click

from pipeline.cli.runner import KNOWN_ERRORS, runner, settings_of, told, with_broker

EXAMPLES = """
\b
Examples:
  MASIR_BROKER=kafka://broker:9092 masir collect --listen 0.0.0.0:8088
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where the collector listens.  [default: the setting `listen`]"
)
def collect(listen: str | None) -> None:
    """Take hits over HTTP and put them into Kafka, until Ctrl-C or SIGTERM.

    A hit is acknowledged when all in-sync replicas have it. Any number of collectors can run side by side.
    """
    settings = with_broker(settings_of(listen=listen))
    try:
        asyncio.run(runner("collect")(settings, _say_started))
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _say_started(door: Any) -> None:
    host = door.settings.listen.rpartition(":")[0]
    click.echo(f"Masir collects. Broker: {door.settings.broker}. Ctrl-C stops it.")
    click.echo(f"  hits     POST http://{host}:{door.port}/v1/hits")
    click.echo(f"  metrics  http://{host}:{door.port}/metrics")
