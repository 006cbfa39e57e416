"""``masir demo``: bundled and synthetic traffic through the whole pipeline, in one process."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from importlib.resources import as_file, files
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any

import click
from rich.console import Console

from pipeline.cli.run import base_of, check_addresses, say_started
from pipeline.cli.runner import KNOWN_ERRORS, Wrong, is_terminal, program, runner, settings_of, told
from pipeline.demo.simulator import simulate
from pipeline.demo.summary import print_summary
from pipeline.demo.visitors import keep_coming
from pipeline.sources import read_hits, read_options
from pipeline.store.query_socket import is_listening

DIRECTORY = "masir-demo"
SEED = 7
CUSTOMERS = 1_500
DAYS = 60
START_MS = 1_782_864_000_000  # 2026-07-01T00:00:00Z
DIRT = 0.002
_MARK = ".made-by-masir-demo"

EXAMPLES = """
\b
Examples:
  masir demo
  masir demo --live
"""


@click.command(epilog=EXAMPLES)
@click.option("--data", metavar="DIR", default=DIRECTORY, show_default=True, help="Made anew each time.")
@click.option("--live", is_flag=True, help="Then go on as `masir run`, with customers who come now.")
@click.option("--listen", metavar="HOST:PORT", help="Where --live listens.  [default: the setting `listen`]")
def demo(data: str, live: bool, listen: str | None) -> None:
    """Show what Masir makes of two kinds of hits.

    Site "wiki" is real: 63,524 page views of 10,000 Wikipedia readers (January 2014, MIT licence). Site "shop" is
    synthetic: a seeded simulator of customers who search, compare, subscribe, order, answer surveys, tell friends, or
    leave. Both go through the same agents as live hits.
    """
    settings = settings_of(  # never into what is in use
        data=data, listen=listen, broker="", clickhouse="", clickhouse_cluster=""
    )
    if live:
        check_addresses(settings)
    try:
        _make_room(Path(data))
    except OSError as error:
        raise told(error) from error
    click.echo(
        f"Site wiki: real readers of Wikipedia. Site shop: synthetic customers (simulator, seed {SEED})."
    )
    click.echo(
        "Both now go through the topic of hits, sessionizer, journeys, persons, counters and store ..."
    )
    shop, _ = simulate(seed=SEED, customers=CUSTOMERS, start_ms=START_MS, days=DAYS, dirt=DIRT)

    moving = Console(stderr=True).status("some 80,000 hits") if is_terminal() else nullcontext()

    def with_store(embedded: Any, processed: Any) -> None:
        stack.close()
        print_summary(embedded.client.query, data, program())
        click.echo(f"  {program()} demo --live   # customers who come now, on a page that moves")
        rate = processed.hits / processed.seconds
        click.echo(
            f"\n{processed.hits:,} hits in {processed.seconds:.1f} s ({rate:,.0f} hits/s) into {data}/"
        )

    try:
        with ExitStack() as stack:
            stack.enter_context(moving)
            asyncio.run(runner("process")(settings, zip(chain(_wikipedia(), shop)), with_store=with_store))
        if live:
            asyncio.run(runner("run")(settings, _open_the_shop))
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _open_the_shop(live: Any) -> None:
    """The customers come in a thread of their own, which ends with the process."""
    say_started(live)
    click.echo("Customers of site shop come now. Open the page.")
    coming = keep_coming(base_of(live), now_ms=time.time_ns() // 1_000_000)
    Thread(target=asyncio.run, args=(coming,), daemon=True).start()


def _wikipedia() -> Iterator[bytes]:
    options = read_options("csv", ("visitor_id=uuid", "time=ts:s"), ("event=page_view",), "wiki")
    with as_file(files("pipeline.demo") / "data" / "wikipedia_sessions.csv.gz") as path:
        yield from read_hits(str(path), options)


def _make_room(directory: Path) -> None:
    """Only what an earlier demo made is deleted, and nothing that runs."""
    if is_listening(directory):
        raise Wrong(f"a Masir runs on {directory}: stop it, or choose another --data")
    if directory.exists() and any(directory.iterdir()):
        if not (directory / _MARK).exists():
            raise Wrong(f"{directory} exists and was not made by `masir demo`: choose another --data")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARK).touch()
