"""What a hit costs, part by part: ``python -m bench.footprint`` measures it and writes ``bench/footprint.json``.

``masir process`` runs with its store on a ClickHouse server (the real engine in a process of its own, as
:mod:`bench.clickhouse` starts it), once over few hits and once over many: the difference is what the hits cost, without
the start. A third run has more visitors and as many hits: that is what a visitor costs. CPU seconds count, so
other work on the machine disturbs little. The collector's rate comes from ``python -m bench.collector``, by hand: that
needs wrk.
"""

import os
import subprocess
import tempfile
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from bench import stream
from bench.clickhouse import ClickHouse
from bench.flink import cpu_seconds
from bench.masir_job import Summary
from bench.process import ROOT, rss_bytes
from bench.running import MASIR, environment
from pipeline.store.client import connect
from pipeline.transport.log import DATABASE, Log

FILE = ROOT / "bench/footprint.json"
FEW, HITS_PER_VISITOR, MORE = 5_000, 10, 4
RECORDS = 10_000


class Footprint(Struct, frozen=True, kw_only=True):
    """Per hit unless the name says otherwise; bytes, and microseconds of CPU.

    ``worker_us``: all hops and the inserting client. ``store_us``: the server, HTTP and first merges included.
    ``store_bytes``: on disk once merged. ``collector_rate``: requests of one hit that one process takes in a second.
    ``topic_bytes``: topic -> bytes of its records, as they are sent. ``visitor_bytes``: memory of each visitor.
    """

    measured: str
    hits: int
    worker_us: float
    store_us: float
    store_bytes: float
    visitor_bytes: float
    collector_rate: float
    topic_bytes: dict[str, float]


class _Run(Struct):
    hits: int
    worker_s: float
    store_s: float
    rss: int


def measure(hits: int, collector_rate: float) -> Footprint:
    """Three runs; minutes for a million hits."""
    visitors = hits // HITS_PER_VISITOR
    with tempfile.TemporaryDirectory() as name, ClickHouse(Path(name) / "ch") as server:
        directory = Path(name)
        few = _run(server, directory / "few", visitors=FEW // HITS_PER_VISITOR, hits=FEW)
        many = _run(server, directory / "many", visitors=visitors, hits=hits)
        topic_bytes = _topic_bytes(directory / "many" / DATABASE, hits)
        with connect(_url(server, directory / "many")) as client:
            for (table,) in client.query(
                "SELECT DISTINCT table FROM system.parts WHERE active AND database = currentDatabase()"
            ):
                client.command(f"OPTIMIZE TABLE {table} FINAL")
            ((stored,),) = client.query(
                "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
            )
        wide = _run(server, directory / "wide", visitors=visitors * MORE, hits=hits)
    counted = many.hits - few.hits
    return Footprint(
        measured=datetime.now(UTC).date().isoformat(),
        hits=hits,
        worker_us=round((many.worker_s - few.worker_s) / counted * 1e6, 1),
        store_us=round((many.store_s - few.store_s) / counted * 1e6, 1),
        store_bytes=round(stored / many.hits, 1),
        visitor_bytes=round((wide.rss - many.rss) / (visitors * (MORE - 1))),
        collector_rate=collector_rate,
        topic_bytes=topic_bytes,
    )


def read() -> Footprint:
    """What was measured last."""
    return msgspec.json.decode(FILE.read_bytes(), type=Footprint)


def _url(server: ClickHouse, data: Path) -> str:
    """A database for each data directory: rows are named by their place in its topics."""
    return f"{server.url.rpartition('/')[0]}/{data.name}"


def _run(server: ClickHouse, data: Path, *, visitors: int, hits: int) -> _Run:
    with connect(server.url) as client:
        client.command(f"CREATE DATABASE {data.name}")
    file = data.with_suffix(".ndjson")
    stream.write(file, visitors=visitors, hits=hits)
    store_s = cpu_seconds(server.pid)
    with subprocess.Popen(
        [MASIR, "process", str(file), "--data", str(data), "--json"],
        env=environment({"clickhouse": _url(server, data)}),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        summary = msgspec.json.decode(process.stdout.read(), type=Summary)
        _, _, used = os.wait4(process.pid, 0)
    return _Run(
        hits=summary.received,
        worker_s=used.ru_utime + used.ru_stime,
        store_s=cpu_seconds(server.pid) - store_s,
        rss=rss_bytes(used.ru_maxrss),
    )


def _topic_bytes(database: Path, hits: int) -> dict[str, float]:
    with closing(Log(database)) as log:
        totals = Counter[str]()
        for (topic, partition), end in log.ends().items():
            at = log.begin(topic, partition)
            while at < end:
                records = log.read(topic, partition, at, most=RECORDS)
                totals[topic] += sum(map(len, records.values))
                at = records.offsets[-1] + 1
    return {topic: round(size / hits, 1) for topic, size in sorted(totals.items())}


@click.command()
@click.option("--hits", default=300_000, show_default=True, help="Of the long runs.")
@click.option("--collector-rate", type=float, help="Requests of one hit per second.  [default: as before]")
def main(hits: int, collector_rate: float | None) -> None:
    """Measure and write the figures; `python -m bench.capacity --write` then puts them into docs/capacity.md."""
    found = measure(hits, collector_rate or read().collector_rate)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    click.echo(FILE.read_text())


if __name__ == "__main__":
    main()
