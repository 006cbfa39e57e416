"""Several workers over one filled topic: ``python -m bench.kafka_workers ADDRESS FILE HITS [WORKERS…]``.

For each number of workers: topics of their own are filled, then a worker with the store and so many with the other hops
start, each a process, and work until all is consumed. Prints one JSON object a line: seconds from when the last has
started to the end, CPU of the workers a hit in that time, and of the store's. Broker, workers and store share the
machine: where there are fewer cores than processes, CPU a hit says what one more worker costs, and seconds do not say
what it brings.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from bench.cluster import Cluster, Process
from bench.kafka_job import fill, settings_of

_TICKS = os.sysconf("SC_CLK_TCK")
_USER_TIME = 11  # after the name in /proc/PID/stat; system time is the next


def cpu_seconds(processes: Sequence[Process]) -> float:
    """That they have used until now."""
    total = 0
    for one in processes:
        fields = Path(f"/proc/{one.process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[_USER_TIME]) + int(fields[_USER_TIME + 1])
    return total / _TICKS


def run(address: str, path: Path, hits: int, workers: int) -> dict[str, float]:
    """The figures, by name."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        settings = settings_of(address, str(data))
        others = {
            "allowed_lateness_seconds": settings.allowed_lateness_seconds,
            "dedupe_hours": settings.dedupe_hours,
        }
        cluster = Cluster(data, address, workers=workers, **others)
        named = settings_of(address, str(data), broker_prefix=cluster.prefix)
        with path.open("rb") as lines:
            count = asyncio.run(fill(named, (line.rstrip() for line in islice(lines, hits))))
        working = [cluster.store, *cluster.workers]
        try:
            for one in working:
                one.spawn()
            for one in working:
                one.wait_until_started()
            began, before = time.monotonic(), [cpu_seconds([cluster.store]), cpu_seconds(cluster.workers)]
            cluster.wait_until_drained()
            seconds = time.monotonic() - began
            after = [cpu_seconds([cluster.store]), cpu_seconds(cluster.workers)]
        finally:
            for one in working:
                if one.is_running:
                    one.kill()
    store, worker = ((now - then) / count * 1e6 for now, then in zip(after, before, strict=True))
    return {
        "workers": workers,
        "hits": count,
        "seconds": round(seconds, 1),
        "workers_cpu_us_per_hit": round(worker, 1),
        "store_cpu_us_per_hit": round(store, 1),
    }


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    for number in map(int, sys.argv[4:] or ("1", "2")):
        found = run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), number)
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.stdout.flush()
