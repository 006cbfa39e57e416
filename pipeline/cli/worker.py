"""``masir worker``: one of the workers of the distributed form."""

import asyncio
from typing import Any

import click

from pipeline.cli.runner import KNOWN_ERRORS, runner, settings_of, told, with_broker
from schemas.topics import TOPICS

HOPS = tuple(dict.fromkeys(reader for topic in TOPICS for reader in topic.readers))
EXAMPLES = """
\b
Examples:
  MASIR_BROKER=kafka://broker:9092 masir worker
  masir worker --hops sessionizer,journeys,counters --listen 0.0.0.0:9100
"""


def _hops(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    hops = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in hops:
        if name not in HOPS:
            raise click.BadParameter(f"{name!r} is no hop; there are {', '.join(HOPS)}")
    return hops


@click.command(epilog=EXAMPLES)
@click.option(
    "--hops", metavar="NAMES", default="", callback=_hops, help=f"Some of {','.join(HOPS)}.  [default: all]"
)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option("--listen", metavar="HOST:PORT", help="Where /metrics, /healthz and /readyz are.")
def worker(hops: tuple[str, ...], data: str | None, listen: str | None) -> None:
    """Work on the hits in Kafka, beside other workers, until Ctrl-C or SIGTERM.

    Partitions are shared among the workers. One that stops hands its own over; those of one that is killed are taken
    over when it has been silent for `worker_lost_seconds`. `masir topics --create` makes the topics.
    """
    settings = with_broker(settings_of(data=data, listen=listen))
    try:
        asyncio.run(runner("worker")(settings, hops, _say_started))
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _say_started(worker: Any) -> None:
    host = worker.settings.listen.rpartition(":")[0]
    click.echo(f"Masir works. Broker: {worker.settings.broker}. Ctrl-C stops it.")
    click.echo(f"  metrics  http://{host}:{worker.port}/metrics")
