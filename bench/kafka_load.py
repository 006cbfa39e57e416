"""``python -m bench.kafka_load``: the distributed form at half load, and two workers against one, over a real Kafka.

The whole job tells the full load of one worker on one core, broker and sender on the other. At half of it: how long a
hit is under way to the gauges and to its row. Then as many hits with one worker and with two. Exit code 1 when a p99 is
over the contract's two seconds.
"""

import sys
import tempfile
from pathlib import Path

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from bench import stream
from bench.kafka import Broker
from bench.kafka_latency import hits_for
from bench.process import Measure, cores, output_of, run_module

HITS = 200_000
VISITORS = 5_000
SECONDS = 65.0  # what is done once a minute is among them
LIMIT_SECONDS = 2.0
Figures = dict[str, float]


def measure(directory: Path, hits: int, seconds: float) -> tuple[Measure, Figures, list[Figures]]:
    """The whole job; the latency at half of its rate; the figures of one worker and of two."""
    path, steady = directory / "hits.ndjson", directory / "steady.ndjson"
    stream.write(path, visitors=VISITORS, hits=hits)
    with Broker(directory / "kafka", core=cores()[1]) as broker:
        over = broker.address, str(path)
        job = run_module("bench.kafka_job", *over, str(hits))
        rate = round(job.rate / 2)
        stream.write(steady, visitors=VISITORS, hits=hits_for(rate, seconds))
        steadily = broker.address, str(steady), str(rate), str(seconds)
        latency = output_of("bench.kafka_latency", *steadily, core=cores()[0])
        workers = output_of("bench.kafka_workers", *over, str(hits), "1", "2")
    figures = msgspec.json.Decoder(Figures)
    return job, figures.decode(latency[-1]), [figures.decode(line) for line in workers]


def as_table(job: Measure, latency: Figures, workers: list[Figures]) -> Table:
    """For a terminal, and for README.md."""
    table = Table(box=box.MARKDOWN)
    table.add_column("what")
    table.add_column("figure")
    cpu = job.cpu_seconds / job.hits * 1e6
    table.add_row(f"whole job, {job.hits:,} hits", f"{job.rate:,.0f} hits/s, {cpu:.1f} µs of CPU a hit")
    quantiles = "; ".join(
        f"{name} {latency[f'{name}_p50']:.2f} s, {latency[f'{name}_p99']:.2f} s" for name in ("gauge", "row")
    )
    table.add_row(f"latency at {latency['rate']:,.0f} hits/s, p50 and p99", quantiles)
    for one in workers:
        cpu, store = one["workers_cpu_us_per_hit"], one["store_cpu_us_per_hit"]
        figure = f"{one['seconds']:.1f} s; {cpu:.1f} µs of CPU a hit, the store's {store:.1f}"
        table.add_row(f"{one['workers']:.0f} workers, {one['hits']:,.0f} hits", figure)
    return table


@click.command()
@click.option("--hits", type=click.IntRange(10_000), default=HITS, show_default=True, help="Of each job.")
@click.option("--seconds", type=click.FloatRange(5), default=SECONDS, show_default=True, help="At half load.")
def main(hits: int, seconds: float) -> None:
    """Latency at half load, and what a second worker costs and brings.

    Example: python -m bench.kafka_load --hits 50000 --seconds 10
    """
    with tempfile.TemporaryDirectory() as directory:
        job, latency, workers = measure(Path(directory), hits, seconds)
    Console(width=None if sys.stdout.isatty() else 140).print(as_table(job, latency, workers))
    raise SystemExit(int(max(latency["gauge_p99"], latency["row_p99"]) > LIMIT_SECONDS))


if __name__ == "__main__":
    main()
