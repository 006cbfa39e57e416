"""What the live page costs the pipeline: ``python -m bench.live_page [--hits N] [--rounds N] [--viewers N]``.

The same load goes through ``masir run`` again and again, in turns with nobody looking and with viewers who read the
events of all sites and of one. Compared is the CPU time of the process for the same hits, from the first request until
all is in the store: of each pair the ratio, of the ratios the median. The data directory is a new one each time.
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


def one_round(hits: int, viewers: int) -> float:
    """CPU seconds of the process for these hits; the loop of 20,000 before it warms it up."""
    with tempfile.TemporaryDirectory() as directory, Running(Path(directory) / "data") as running:
        stream = load_stream(seed=3, visitors=20_000, hits=hits + 20_000)
        send(running, islice(stream, 20_000))
        with watched(running.url, viewers) as read:
            before = cpu_seconds(running.pid)
            started = time.monotonic()
            send(running, stream)
            took = cpu_seconds(running.pid) - before
            seconds = time.monotonic() - started
        if not all(read):
            raise RuntimeError("a viewer saw nothing")
        print(
            f"  {viewers} viewers: {took:.2f} s of CPU for {hits:,} hits in {seconds:.1f} s, {sum(read):,} bytes seen"
        )
        return took


def send(running: Running, hits: Iterator[bytes]) -> None:
    """Send, and wait until all is in the store."""
    with closing(Connection(lambda: running.url)) as connection:
        while batch := list(islice(hits, REQUEST_HITS)):
            status, answer = connection.post(b"\n".join(batch))
            if status != 200:
                raise RuntimeError(f"{status}: {answer}")
    running.wait_until_drained()


def main() -> None:
    """Run and report; ends with 1 if the page costs more than LIMIT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hits", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=4)
    options = parser.parse_args()
    ratios = []
    for _ in range(options.rounds):
        alone = one_round(options.hits, 0)
        ratios.append(one_round(options.hits, options.viewers) / alone - 1)
    cost = statistics.median(ratios)
    print(f"The live page costs {cost:+.1%} of CPU (rounds: {', '.join(f'{one:+.1%}' for one in ratios)}).")
    raise SystemExit(cost > LIMIT)


if __name__ == "__main__":
    main()
