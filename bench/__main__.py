"""``python -m bench``: Masir and its peers over the same hits, one core each, in one run.

What a peer needs is fetched into a cache directory by the first run (Kafka and Flink, from Maven Central). A
peer whose needs are not met is left out, and the output says why. Exit code 1 when a bar is missed.
"""

import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from bench import report
from bench.jars import cache_dir
from bench.peers import FULL, PEERS, QUICK, Size, Tell
from bench.report import Row

PIPE_WIDTH = 120


@click.command()
@click.option("--quick", is_flag=True, help="Fewer hits and jobs: some two minutes, rougher figures.")
@click.option("--only", multiple=True, type=click.Choice(list(PEERS)), help="Measure this; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(quick: bool, only: tuple[str, ...], as_json: bool) -> None:
    """Measure Masir and its peers over the same hits, one core each.

    Example: python -m bench --quick --only decode --only flink
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the broker and the files go too
    progress = Console(stderr=True)
    with progress.status("starting") as status:
        rows = measure(QUICK if quick else FULL, only or tuple(PEERS), status.update)
    ratios = report.ratios(rows)
    if as_json:
        click.echo(report.as_json(rows, ratios))
    else:
        width = None if sys.stdout.isatty() else PIPE_WIDTH
        Console(width=width).print(report.as_tables(rows, ratios))
    raise SystemExit(int(any(ratio.met is False for ratio in ratios)))


def measure(size: Size, chosen: tuple[str, ...], tell: Tell) -> list[Row]:
    """The rows of the chosen peers."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        return [row for peer in chosen for row in PEERS[peer](tell, Path(directory), size)]


if __name__ == "__main__":
    main()
