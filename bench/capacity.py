"""How much of everything a load needs, from what was measured: ``python -m bench.capacity`` prints the table, and with
``--write`` puts it into docs/capacity.md.

Arithmetic on :class:`bench.footprint.Footprint`; nothing is measured here. Machines are planned half idle, so that they
can catch up after an outage. Sizes are in bytes, times in seconds unless the name says otherwise.
"""

from math import ceil

import click
from msgspec import Struct

from bench.footprint import Footprint, read
from bench.process import ROOT
from pipeline.settings import Settings
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.topics import wanted_topics
from schemas.topics import HITS

DOCUMENT = ROOT / "docs/capacity.md"
BEGIN, END = "<!-- python -m bench.capacity --write -->\n", "<!-- end -->"
RATES = (1_000, 100_000, 1_000_000)
BUSY = 0.5
PARTITIONS_A_WORKER = 2  # so that a worker more takes a share from each
LEAST_PARTITIONS, MOST_PARTITIONS = 4, 256
LEAST_WORKERS = 2
REPLICAS = 3
HITS_A_VISITOR_AND_DAY = 10
DAY, MONTH_DAYS, HOUR = 86_400, 30, 3_600
REQUEST_HEAD = 500  # of HTTP, around a hit that comes alone


class Plan(Struct, frozen=True):
    """What ``rate`` hits a second need."""

    rate: int
    partitions: int
    workers: int
    collectors: int
    store_cores: int
    worker_memory: float
    worker_memory_short: float
    kafka_written: float
    kafka_disk: float
    store_disk: float
    network_in: float


def plan(rate: int, cost: Footprint) -> Plan:
    """``worker_memory``: of each, if state is kept for a day; ``_short``: for an hour."""
    workers = max(LEAST_WORKERS, ceil(rate * cost.worker_us / 1e6 / BUSY))
    visitors = rate * DAY / HITS_A_VISITOR_AND_DAY
    settings = Settings()
    names = Names(settings.broker_prefix)
    kept_s = {
        names.bare(topic.name): float(topic.configs.get("retention.ms", 0)) / 1_000
        for topic in wanted_topics(settings)
    }
    kept = sum(size * kept_s[topic] for topic, size in cost.topic_bytes.items())
    return Plan(
        rate=rate,
        partitions=max(LEAST_PARTITIONS, PARTITIONS_A_WORKER * workers),
        workers=workers,
        collectors=max(LEAST_WORKERS, ceil(rate / (cost.collector_rate * BUSY))),
        store_cores=ceil(rate * cost.store_us / 1e6 / BUSY),
        worker_memory=visitors * cost.visitor_bytes / workers,
        worker_memory_short=visitors / (DAY / HOUR) * cost.visitor_bytes / workers,
        kafka_written=rate * sum(cost.topic_bytes.values()) * REPLICAS,
        kafka_disk=rate * kept * REPLICAS,
        store_disk=rate * DAY * MONTH_DAYS * cost.store_bytes,
        network_in=rate * (cost.topic_bytes[HITS.name] + REQUEST_HEAD),
    )


def table(cost: Footprint) -> str:
    """Markdown: what was measured, and what follows from it."""
    plans = [plan(rate, cost) for rate in RATES]
    lines = [
        f"Measured on {cost.measured} over {cost.hits:,} hits (`python -m bench.footprint`), one core, per hit:",
        "",
        f"* worker, all hops: {cost.worker_us:.1f} µs of CPU; ClickHouse: {cost.store_us:.1f} µs",
        f"* collector: {cost.collector_rate:,.0f} requests of one hit a second and process",
        f"* Kafka: {sum(cost.topic_bytes.values()):,.0f} bytes in all topics, {cost.topic_bytes[HITS.name]:.0f} of "
        f"them the hit itself; ClickHouse: {cost.store_bytes:.0f} bytes on disk",
        f"* memory: {cost.visitor_bytes:,.0f} bytes for each visitor that is remembered",
        "",
        "| | " + " | ".join(f"{one.rate:,} hits/s" for one in plans) + " |",
        "|---|" + "---:|" * len(plans),
    ]
    rows = {
        "workers (one core each)": [f"{one.workers:,}" for one in plans],
        "partitions": [_partitions(one.partitions) for one in plans],
        "collectors (one core each)": [f"{one.collectors:,}" for one in plans],
        "cores for ClickHouse's inserts and first merges": [f"{one.store_cores:,}" for one in plans],
        "memory of a worker, `dedupe_hours = 24`": [_size(one.worker_memory) for one in plans],
        "memory of a worker, `dedupe_hours = 1`": [_size(one.worker_memory_short) for one in plans],
        f"written by Kafka, {REPLICAS} replicas": [f"{_size(one.kafka_written)}/s" for one in plans],
        f"disk of Kafka, {REPLICAS} replicas, kept as by default": [_size(one.kafka_disk) for one in plans],
        "disk of ClickHouse, a month, one replica": [_size(one.store_disk) for one in plans],
        "network into the collectors": [f"{_size(one.network_in)}/s" for one in plans],
    }
    lines += [f"| {what} | {' | '.join(cells)} |" for what, cells in rows.items()]
    return "\n".join(lines) + "\n"


def _partitions(count: int) -> str:
    return (
        f"{count:,}"
        if count <= MOST_PARTITIONS
        else f"{count:,} (more than {MOST_PARTITIONS}: several clusters)"
    )


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1_000:
            return f"{size:.{0 if size >= 100 else 1}f} {unit}"
        size /= 1_000
    return f"{size:,.1f} PB"


@click.command()
@click.option("--write", is_flag=True, help="Put it into docs/capacity.md instead of printing it.")
def main(write: bool) -> None:
    """Workers, memory, disk and network for some loads."""
    made = table(read())
    if not write:
        click.echo(made)
        return
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + made + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
