"""``masir replay``: sends a recorded stream to a collector or broker, in event-time order, at a chosen speed."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.cli.runner import KNOWN_ERRORS, told
from pipeline.sources import FORMATS, read_hits, read_options, total_bytes
from pipeline.sources.ordered import Ordered, in_event_time_order
from pipeline.sources.replay import Pace, Replay, ReplayError, Summary, prepared
from pipeline.sources.targets import key_of, open_target

TO = "http://127.0.0.1:8088"
_HELP = """Send recorded hits to a collector or broker, in event-time order.

FILE is NDJSON, CSV or an access log, also gzipped; - is standard input. Hits that are not acknowledged are
sent again; each has a hit_id, so that none counts twice.

\b
Examples:
  masir replay hits.ndjson.gz --rate 500 --retime
  masir replay hits.ndjson --speed 60x --to http://collector:8088
  masir replay access.log --site www.example.com
  masir replay hits.ndjson --to sqlite:///var/lib/masir/masir.db
  masir replay hits.ndjson --to kafka://kafka:9092
"""


def _speed(_: click.Context, __: click.Parameter, value: str | None) -> float:
    if value is None:
        return 0.0
    try:
        speed = float(value.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter("a factor of real time is expected, such as 10x or 0.5x")
    return speed


@click.command(help=_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--to",
    default=TO,
    show_default=True,
    help="http://HOST:PORT of a collector; kafka://HOST:PORT or sqlite:///PATH of a broker.",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Hits per second; else as fast as they are taken."
)
@click.option(
    "--speed", callback=_speed, metavar="NUMBERx", help="Speed as a factor of real time, such as 10x."
)
@click.option("--retime", is_flag=True, help="Shift all times: the last hit is now, at the start.")
@click.option(
    "--batch", type=click.IntRange(1, 5_000), default=500, show_default=True, help="Hits per request."
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with a server key of the site, where the collector wants one.",
)
@click.option("--patience", type=click.FloatRange(0), default=60.0, help="Seconds to wait for a collector.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Else told by each file.")
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="For CSV; or a TOML file.")
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="A constant of each hit.")
@click.option("--site", default="", help="Site of the hits of a CSV file or an access log.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def replay(**options: Any) -> None:
    _run(_Options(**options))


class _Options(NamedTuple):
    files: tuple[str, ...]
    to: str
    rate: float | None
    speed: float
    retime: bool
    batch: int
    key_file: Path | None
    patience: float
    format_: str | None
    maps: tuple[str, ...]
    sets: tuple[str, ...]
    site: str
    as_json: bool


def _run(options: _Options) -> None:
    if options.rate and options.speed:
        raise click.UsageError("--rate and --speed exclude each other")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        with (
            Progress(*columns, console=console, disable=not console.is_terminal) as progress,
            in_event_time_order(_read(options, progress)) as ordered,
        ):
            summary = asyncio.run(_send(options, ordered, progress))
    except ReplayError as error:
        raise click.ClickException(str(error)) from error
    except KNOWN_ERRORS as error:
        raise told(error) from error
    if options.as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        click.echo(
            f"{summary.hits:,} hits acknowledged in {summary.seconds:.1f} s "
            f"({summary.hits_per_second:,.0f}/s): "
            f"{summary.accepted:,} accepted, {summary.refused:,} refused; "
            f"{summary.retries:,} requests repeated"
        )


def _read(options: _Options, progress: Progress) -> Iterator[bytes]:
    read = read_options(options.format_ or "", options.maps, options.sets, options.site)
    task = progress.add_task("reading", total=total_bytes(list(options.files)))
    for path in options.files:
        yield from read_hits(path, read, lambda size: progress.advance(task, size))


async def _send(options: _Options, ordered: Ordered, progress: Progress) -> Summary:
    task = progress.add_task("sending", total=ordered.total)
    shift_ms = time.time_ns() // 1_000_000 - ordered.last_ms if options.retime else 0
    hits = ((time_ms, prepared(raw, number, shift_ms)) for number, (time_ms, raw) in enumerate(ordered.hits))
    async with open_target(options.to, key_of(options.key_file)) as target:
        delivery = Replay(
            target,
            pace=Pace(options.rate or 0.0, options.speed),
            batch_hits=options.batch,
            patience_s=options.patience,
            progress=lambda count: progress.advance(task, count),
        )
        return await delivery.run(hits, first_ms=ordered.first_ms)
