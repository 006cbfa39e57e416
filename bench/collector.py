"""Requests and hits per second that one collector process takes on, behind a topic that costs nothing.

    python bench/collector.py [--seconds 5] [--connections 32] [--batch 500]

The server is pinned to one core, the load (Debian's ``wrk``) to the others. The second figure of each line,
per second of the server's CPU time, hardly changes on a busy machine. The bars: contract, section 8.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.collector import Collector, Record

_ONE, _BATCHES = "requests of one hit", "hits in batches"
_BARS = {_ONE: 6_000, _BATCHES: 60_000}
_BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


class _Nowhere:
    """Durable at once; each group commit still costs one turn of the event loop."""

    async def publish(self, records: list[Record]) -> None:
        pass

    def backlog(self) -> int:
        return 0


async def _serve(seconds: float) -> None:
    collector = Collector(_Nowhere(), now_ms=lambda: time.time_ns() // 1_000_000)
    print(await collector.start("127.0.0.1", 0), flush=True)
    await asyncio.sleep(seconds)
    await collector.stop()


def _hit(number: int) -> dict[str, object]:
    return {
        "site": "shop",
        "event": "page_view",
        "visitor_id": f"visitor-{number:08d}",
        "hit_id": f"{number:032x}",
        "time": 1_760_000_000_000 + number,
        "sent_time": 1_760_000_000_100 + number,
        "url": f"https://shop.example/products/{number}?utm_source=newsletter&utm_medium=email",
        "referrer": "https://www.google.com/",
        "title": f"Product {number}",
        "screen": "1920x1080",
    }


def _wrk(url: str, body: str, seconds: int, connections: int) -> float:
    """Requests per second; any answer but 2xx, or a socket error, ends the run."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\n'
            f'wrk.headers["Content-Type"] = "text/plain"\nwrk.headers["User-Agent"] = "{_BROWSER}"\n'
            'wrk.headers["Accept-Language"] = "fa-IR,fa;q=0.9"\n'
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script), url]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(report)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if rate is None:
        sys.exit(report)
    return float(rate[1])


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _measure(seconds: int, connections: int, batch: int) -> dict[str, tuple[float, float]]:
    """By name: hits per second of the clock, and per second of the server's CPU time."""
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, __file__, "--serve", str(4 * seconds + 10)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.sched_setaffinity(server.pid, cores[:1])
        os.sched_setaffinity(0, cores[1:] or cores)
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1/hits"
        rates = {}
        for name, size, senders in ((_ONE, 1, connections), (_BATCHES, batch, 8)):
            body = "\n".join(json.dumps(_hit(number)) for number in range(size))
            before = _cpu_seconds(server.pid)
            rate = size * _wrk(url, body, seconds, senders)
            rates[name] = rate, rate * seconds / (_cpu_seconds(server.pid) - before)
        server.terminate()
    return rates


def main() -> None:
    """Exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="Load on one collector process.")
    parser.add_argument("--seconds", type=int, default=5, help="per measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--batch", type=int, default=500, help="hits in one request of the second run")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.serve))
        return
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    rates = _measure(options.seconds, options.connections, options.batch)
    for name, (rate, cpu_rate) in rates.items():
        print(f"{name}: {rate:,.0f}/s, {cpu_rate:,.0f} per CPU second (bar {_BARS[name]:,}/s)")
    sys.exit(any(rate < _BARS[name] for name, (rate, _) in rates.items()))


if __name__ == "__main__":
    main()
