"""How long a hit is under way in `masir run`, from its receipt to the gauges and to its row in the store.

``python -m bench.latency [--rate 15000] [--seconds 30]`` sends synthetic page views over HTTP at a steady rate, a
twentieth of a second's worth in a request, and reads the process's own ``masir_end_to_end_seconds`` before and after:
the oldest hit of each batch, which is the worst of it. Quantiles are interpolated in the buckets, as Prometheus does.
Says too what share of a core the process takes: ``--rate 100`` is a small shop, whose units of work are many and small.
Over Kafka: ``bench.kafka_latency``.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from bench.flink import cpu_seconds
from bench.running import Running
from bench.senders import Connection
from pipeline.demo.load import load_stream

HOPS = {"counters": "gauge", "store": "row"}
SLICES_A_SECOND = 20
MOST_HITS = 2_000  # of a request
WARM_UP_SECONDS = 5.0
VISITORS = 20_000
LIMIT_SECONDS = 2.0
Buckets = dict[float, float]
_TIME = re.compile(rb'"time":\d+')


def in_time(hits: Iterator[bytes], rate: int) -> Iterator[bytes]:
    """The same hits, each with the time at which it is sent at this rate from now on."""
    start_ms = time.time_ns() // 1_000_000
    for number, hit in enumerate(hits):
        yield _TIME.sub(b'"time":%d' % (start_ms + number * 1000 // rate), hit, 1)


def buckets_of(text: str, hop: str) -> Buckets:
    """Upper bound -> how many so far, of the hop's histogram."""
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "masir_end_to_end_seconds_bucket" and sample.labels["hop"] == hop
    }


def quantile(share: float, before: Buckets, after: Buckets) -> float:
    """Seconds below which that share of what came in between lies."""
    counts = sorted((bound, count - before.get(bound, 0.0)) for bound, count in after.items())
    wanted = share * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def send(running: Running, hits: Iterator[bytes], rate: int, seconds: float) -> int:
    """At that rate; returns the hits that were sent. Falls behind where the process does not keep up."""
    sent, began = 0, time.monotonic()
    with closing(Connection(lambda: running.url)) as connection:
        while (elapsed := time.monotonic() - began) < seconds:
            if batch := list(islice(hits, min(int(elapsed * rate) - sent, MOST_HITS))):
                status, answer = connection.post(b"\n".join(batch))
                if status != 200:
                    raise RuntimeError(f"{status}: {answer}")
                sent += len(batch)
            time.sleep(max(0.0, 1 / SLICES_A_SECOND - (time.monotonic() - began - elapsed)))
    return sent


def main() -> None:
    """Exit code 1 when a p99 is over the contract's two seconds."""
    parser = argparse.ArgumentParser(description="Latency of `masir run` at a steady load.")
    parser.add_argument("--rate", type=int, default=15_000, help="hits a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    most = round((asked.seconds + WARM_UP_SECONDS) * asked.rate * 1.2)
    stream = load_stream(seed=7, visitors=VISITORS, hits=most)
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder) / "data") as running:

        def scraped() -> dict[str, Buckets]:
            with urlopen(f"{running.url}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            return {hop: buckets_of(text, hop) for hop in HOPS}

        hits = in_time(stream, asked.rate)
        send(running, hits, asked.rate, WARM_UP_SECONDS)
        before, used = scraped(), cpu_seconds(running.pid)
        sent = send(running, hits, asked.rate, asked.seconds)
        after, core = scraped(), (cpu_seconds(running.pid) - used) / asked.seconds
    rate = sent / asked.seconds
    print(f"{rate:,.0f} hits/s over HTTP for {asked.seconds:.0f} s, with {core:.0%} of a core")
    slowest = 0.0
    for hop, name in HOPS.items():
        middle, late = (quantile(share, before[hop], after[hop]) for share in (0.5, 0.99))
        slowest = max(slowest, late)
        print(f"{name}: p50 {middle:.2f} s, p99 {late:.2f} s (bar {LIMIT_SECONDS:.0f} s)")
    sys.exit(slowest > LIMIT_SECONDS)


if __name__ == "__main__":
    main()
