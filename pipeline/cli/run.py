"""``masir run``: the embedded pipeline, live."""

import asyncio
import errno
import socket
from typing import Any

import click

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, program, runner, settings_of, told, without_broker
from pipeline.live.guard import is_loopback
from pipeline.settings import Settings

EXAMPLES = """
\b
Examples:
  masir run
  masir run --data /var/lib/masir --listen 0.0.0.0:8088
\b
Then, from another shell:
  curl -d '{"site":"shop","event":"page_view","visitor_id":"v1"}' http://127.0.0.1:8088/v1/hits
  masir sql 'SELECT * FROM sessions'
"""


@click.command(epilog=EXAMPLES)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option(
    "--listen", metavar="HOST:PORT", help="Where the collector listens.  [default: the setting `listen`]"
)
@click.option(
    "--collectors", type=int, metavar="N", help="Processes that take hits.  [default: `collectors`]"
)
def run(data: str | None, listen: str | None, collectors: int | None) -> None:
    """Run everything in one process: the collector, the agents, the store, the metrics, the live page, until Ctrl-C.

    What was acknowledged survives a restart, also kill -9. Only one process can have the data directory.
    """
    settings = without_broker(
        settings_of(data=data, listen=listen, collectors=collectors), "`masir collect` and `masir worker`"
    )
    check_addresses(settings)
    try:
        asyncio.run(runner("run")(settings, say_started))
    except KNOWN_ERRORS as error:
        raise told(error) from error


def check_addresses(settings: Settings) -> None:
    """Before anything is made in the data directory: are they free?"""
    _check_free(settings.listen, "--listen HOST:PORT")
    if settings.metrics_listen:
        _check_free(settings.metrics_listen, "MASIR_METRICS_LISTEN=HOST:PORT")


def _check_free(address: str, option: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:  # whatever else is wrong, the server says
            if error.errno == errno.EADDRINUSE:
                raise Wrong(f"{address} is in use; {option} chooses another address") from error


def base_of(live: Any) -> str:
    """The address of the running collector."""
    host = live.settings.listen.rpartition(":")[0]
    return f"http://{host}:{live.port}"


def say_started(live: Any) -> None:
    """Where everything is."""
    base = base_of(live)
    click.echo(f"Masir runs. Data: {live.settings.data}. Ctrl-C stops it.")
    click.echo(f"  hits     POST {base}/v1/hits")
    click.echo(f'  script   <script defer data-site="SITE" src="{base}/masir.js"></script>')
    shown = live.settings.metrics_listen
    shows = f"http://{shown}" if shown else base
    is_near = is_loopback((shown or live.settings.listen).rpartition(":")[0])
    is_open = is_near or live.settings.page_token
    click.echo(
        f"  page     {shows}/"
        if is_open
        else "  page     closed: MASIR_PAGE_TOKEN opens it (it shows persons)"
    )
    click.echo(f"  metrics  {shows}/metrics")
    click.echo(f"  ask      {program()} sql --data {live.settings.data} 'SELECT * FROM sessions'")
