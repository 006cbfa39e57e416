"""Requests and hits per second that one collector process takes on, by protocol, behind a topic that costs nothing.

    python -m bench.collector [--seconds 5] [--connections 32] [--batch 500] [--only matomo]

The server is pinned to one core, the load (Debian's ``wrk``) to the others. The second figure of each line, per second
of the server's CPU time, hardly changes on a busy machine; p99 is of an answer at full load, so mostly of waiting in
line. The bars are for our own form: contract, section 8.
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
from typing import NamedTuple

from pipeline.collector.publisher import Record
from pipeline.collector.server import Collector

_ONE, _BATCHES = "one hit", "batch"
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


class Load(NamedTuple):
    """One kind of request. ``hits``: in each. ``body`` "": a GET."""

    path: str
    hits: int
    body: str = ""


def _loads(batch: int) -> dict[str, Load]:
    """By name: our own form, then what a tracker of each family sends for a page view."""
    page = "https%3A%2F%2Fshop.example%2Fproducts%2F7%3Futm_source%3Dnewsletter"
    url = "https://shop.example/products/7?utm_source=newsletter"
    when = "2026-11-22T12:00:00.000Z"
    segment = [
        {"type": "page", "anonymousId": f"a{n}", "messageId": f"m{n}", "timestamp": when,
         "properties": {"url": url, "title": "Product"}, "context": {"page": {"url": url}}}
        for n in range(20)
    ]  # fmt: skip
    posthog = {"api_key": "phc_shop", "event": "$pageview", "distinct_id": "v1",
               "properties": {"$current_url": url, "$insert_id": "i1", "token": "phc_shop"}}  # fmt: skip
    view = {"e": "pv", "aid": "shop", "p": "web", "url": url, "duid": "d1", "eid": "e1", "tv": "js-4.0.0"}
    schema = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
    snowplow = {"schema": schema, "data": [view | {"dtm": "1763760000000"}]}
    umami = {"type": "event", "payload": {"website": "shop", "url": "/products/7"}}
    return {
        _ONE: Load("/v1/hits", 1, json.dumps(_hit(0))),
        _BATCHES: Load("/v1/hits", batch, "\n".join(json.dumps(_hit(number)) for number in range(batch))),
        "pixel": Load(f"/v1/hit.gif?site=shop&event=email_open&user_id=u1&url={page}", 1),
        "matomo": Load(f"/matomo.php?idsite=1&rec=1&action_name=Product&url={page}&_id=0123456789abcdef&rand=1", 1),
        "snowplow": Load("/com.snowplowanalytics.snowplow/tp2", 1, json.dumps(snowplow)),
        "ga4": Load(f"/g/collect?v=2&tid=G-SHOP&cid=1.2&en=page_view&dl={page}&_p=1", 1),
        "plausible": Load("/api/event", 1, json.dumps({"n": "pageview", "u": url, "d": "shop.example"})),
        "umami": Load("/api/send", 1, json.dumps(umami)),
        "segment, 20 in a batch": Load("/v1/batch", 20, json.dumps({"batch": segment, "writeKey": "wk_shop"})),
        "posthog": Load("/e/", 1, json.dumps(posthog)),
    }  # fmt: skip


class Answers(NamedTuple):
    """``rate``: hits per second of the clock; ``cpu_rate``: of the server's CPU time."""

    rate: float
    cpu_rate: float
    p99_ms: float


def _wrk(address: str, load: Load, seconds: int, connections: int) -> tuple[float, float]:
    """Requests per second and p99 in ms; any answer but 2xx, or a socket error, ends the run."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        lines = [
            f'wrk.headers["User-Agent"] = "{_BROWSER}"',
            'wrk.headers["Accept-Language"] = "fa-IR,fa;q=0.9"',
        ]
        if load.body:
            lines += ['wrk.method = "POST"', f"wrk.body = [==[{load.body}]==]"]
            lines += ['wrk.headers["Content-Type"] = "text/plain"']
        script.write_text("\n".join(lines))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(script)]
        report = subprocess.run(
            [*command, address + load.path], capture_output=True, text=True, check=True
        ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", report)
    if "Non-2xx" in report or "Socket errors" in report or rate is None or slowest is None:
        sys.exit(f"{load.path}\n{report}")
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1, "s": 1_000, "m": 60_000}[slowest[2]]


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _measure(loads: dict[str, Load], seconds: int, connections: int) -> dict[str, Answers]:
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "bench.collector", "--serve", str(len(loads) * (seconds + 2) + 10)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.sched_setaffinity(server.pid, cores[:1])
        os.sched_setaffinity(0, cores[1:] or cores)
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        found = {}
        for name, load in loads.items():
            before = _cpu_seconds(server.pid)
            rate, p99_ms = _wrk(address, load, seconds, connections if load.hits == 1 else 8)
            hits = rate * load.hits
            found[name] = Answers(hits, hits * seconds / (_cpu_seconds(server.pid) - before), p99_ms)
        server.terminate()
    return found


def main() -> None:
    """Exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="Load on one collector process.")
    parser.add_argument("--seconds", type=int, default=5, help="per measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--batch", type=int, default=500, help="hits in one request of the second run")
    parser.add_argument("--only", action="append", help="this protocol; may be repeated")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.serve))
        return
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    loads = _loads(options.batch)
    chosen = {
        name: load
        for name, load in loads.items()
        if name.split(",")[0] in (options.only or [name.split(",")[0]])
    }
    if not chosen:
        sys.exit(f"--only: there is {', '.join(loads)}")
    found = _measure(chosen, options.seconds, options.connections)
    print("| requests | hits/s | per CPU second | p99 ms | bar |\n|---|---:|---:|---:|---:|")
    for name, one in found.items():
        bar = f"{_BARS[name]:,}" if name in _BARS else ""
        print(f"| {name} | {one.rate:,.0f} | {one.cpu_rate:,.0f} | {one.p99_ms:,.1f} | {bar} |")
    sys.exit(any(one.rate < _BARS.get(name, 0) for name, one in found.items()))


if __name__ == "__main__":
    main()
