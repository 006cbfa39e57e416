"""What the live page costs the pipeline: ``python -m bench.live_page [--hits N] [--rounds N]``.

One ``masir run`` with ``--hits`` in its store takes a steady stream of hits, in turns with nobody looking and with
viewers who read the events of all sites and of one. Compared is the CPU time of the process per second; the difference
is what the page takes from the pipeline, as a share of one core. Of the rounds the median.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from bench.running import Running
from bench.senders import Connection
from pipeline.demo.load import load_stream

REQUEST_HITS = 1_000
HITS_PER_SECOND = 100
LIMIT = 0.03


def cpu_seconds(pid: int) -> float:
    """User and system time of the process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def watched(url: str, viewers: int) -> Iterator[list[int]]:
    """Viewers who read as fast as they can; what is yielded counts the bytes of each."""
    done = threading.Event()
    read = [0] * viewers
    host = urlsplit(url).netloc

    def look(number: int) -> None:
        with closing(HTTPConnection(host, timeout=30)) as connection:
            connection.request("GET", f"/live/events?site={'load' if number % 2 else ''}")
            answer = connection.getresponse()
            while not done.is_set():
                read[number] += len(answer.read1(65_536))

    threads = [threading.Thread(target=look, args=(number,), daemon=True) for number in range(viewers)]
    for thread in threads:
        thread.start()
    try:
        yield read
    finally:
        done.set()
        for thread in threads:
            thread.join(5)


def cpu_share(running: Running, hits: Iterator[bytes], viewers: int, seconds: float) -> float:
    """CPU seconds per second while ``HITS_PER_SECOND`` of the hits come."""
    with watched(running.url, viewers) as read:
        before, started = cpu_seconds(running.pid), time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            send(running, islice(hits, HITS_PER_SECOND))
            time.sleep(max(0.0, 1 - (time.monotonic() - started - passed)))
        share = (cpu_seconds(running.pid) - before) / (time.monotonic() - started)
    if not all(read):
        raise RuntimeError("a viewer saw nothing")
    print(f"  {viewers} viewers: {share:.1%} of a core, {sum(read):,} bytes seen")
    return share


def send(running: Running, hits: Iterator[bytes]) -> None:
    """Send all of them."""
    with closing(Connection(lambda: running.url)) as connection:
        while batch := list(islice(hits, REQUEST_HITS)):
            status, answer = connection.post(b"\n".join(batch))
            if status != 200:
                raise RuntimeError(f"{status}: {answer}")


def main() -> None:
    """Run and report; ends with 1 if the page costs more than LIMIT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hits", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--viewers", type=int, default=4)
    options = parser.parse_args()
    costs = []
    with tempfile.TemporaryDirectory() as directory, Running(Path(directory) / "data") as running:
        stream = load_stream(seed=3, visitors=options.hits // 10, hits=2 * options.hits)
        send(running, islice(stream, options.hits))
        running.wait_until_drained()
        for _ in range(options.rounds):
            alone = cpu_share(running, stream, 0, options.seconds)
            costs.append(cpu_share(running, stream, options.viewers, options.seconds) - alone)
    cost = statistics.median(costs)
    print(f"The live page costs {cost:+.1%} of a core (rounds: {', '.join(f'{one:+.1%}' for one in costs)}).")
    raise SystemExit(cost > LIMIT)


if __name__ == "__main__":
    main()
