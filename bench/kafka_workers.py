"""Several workers over one filled topic: ``python -m bench.kafka_workers ADDRESS FILE HITS [WORKERS…]``.

For each number of workers: topics of their own are filled, a worker with the store and so many with the other hops
start, each a process. When each has its partitions and is ready, the hits come into sight, and they work until all is
consumed. Prints one JSON object a line: seconds from then to the end, CPU of the workers a hit in that time, and of
the store's. Broker, workers and store share the machine: where there are fewer cores than processes, CPU a hit says
what one more worker costs, and seconds do not say what it brings.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import msgspec

from bench.cluster import Cluster, Process
from bench.kafka_fill import first_lines, hidden, settings_of
from bench.kafka_job import checked
from bench.process import Measure
from bench.running import wait_for

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 3.0  # without a rebalance: all have come, and have what they keep
_USER_TIME = 11  # after the name in /proc/PID/stat; system time is the next


def cpu_seconds(processes: Sequence[Process]) -> float:
    """That they have used until now."""
    total = 0
    for one in processes:
        fields = Path(f"/proc/{one.process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[_USER_TIME]) + int(fields[_USER_TIME + 1])
    return total / _TICKS


async def run(address: str, hits: Sequence[bytes], workers: int) -> dict[str, float]:
    """The figures, by name."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        settings = settings_of(address, str(data))
        others = {
            "allowed_lateness_seconds": settings.allowed_lateness_seconds,
            "dedupe_hours": settings.dedupe_hours,
        }
        cluster = Cluster(data, address, workers=workers, **others)
        working = [cluster.store, *cluster.workers]
        async with hidden(settings_of(address, str(data), broker_prefix=cluster.prefix), hits) as show:
            try:
                await asyncio.to_thread(start, working)
                began, before = time.monotonic(), [cpu_seconds([cluster.store]), cpu_seconds(cluster.workers)]
                await show()
                await asyncio.to_thread(cluster.wait_until_drained)
                seconds = time.monotonic() - began
                after = [cpu_seconds([cluster.store]), cpu_seconds(cluster.workers)]
                store, worker = (now - then for now, then in zip(after, before, strict=True))
                count = int(cluster.value("SELECT sum(hits) FROM ledger"))
            finally:
                for one in working:
                    if one.is_running:
                        one.kill()
    return {
        "workers": workers,
        "hits": checked(Measure(len(hits), seconds, worker), count).hits,
        "seconds": round(seconds, 1),
        "workers_cpu_us_per_hit": round(worker / count * 1e6, 1),
        "store_cpu_us_per_hit": round(store / count * 1e6, 1),
    }


def start(working: Sequence[Process]) -> None:
    """All, until each has been ready for a while."""
    for one in working:
        one.spawn()
    for one in working:
        one.wait_until_started()
    since = [time.monotonic()]

    def are_ready() -> bool:
        if not all(map(is_ready, working)):
            since[0] = time.monotonic()
        return time.monotonic() - since[0] >= _READY_SECONDS

    wait_for(are_ready, "workers are ready")


def is_ready(process: Process) -> bool:
    """It reads every partition it has."""
    try:
        with urlopen(f"{process.url}/readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


def main(address: str, path: str, count: str, *workers: str) -> None:
    """The arguments of the command line."""
    hits = first_lines(Path(path), int(count))
    for number in map(int, workers or ("1", "2")):
        found = asyncio.run(run(address, hits, number))
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    main(*sys.argv[1:])
