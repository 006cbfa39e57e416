"""Masir's commands as processes of their own: a process can open one store only, and once."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from bench.running import COMMAND_SECONDS, Running, command, environment
from bench.senders import Connection

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "pipeline" / "demo" / "data"
DATA = ROOT / "tests" / "data"
T0 = 1_790_812_800_000  # 2026-10-01 UTC
HALF_HOUR = 1_800_000
WRITE = """
import sys
from pathlib import Path
from pipeline.store.client import connect
with connect(Path(sys.argv[1])) as client:
    for statement in sys.argv[2:]:
        client.command(statement)
"""


def masir(
    *arguments: str | Path,
    settings: dict[str, object] | None = None,
    stdin: bytes = b"",
    code: int | None = 0,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end. ``code``: the exit code it must have (None: any)."""
    done = command(*arguments, settings=settings, stdin=stdin)
    assert code is None or done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def process(data: Path, *files: Path, mapping: str = "", **settings: object) -> dict[str, Any]:
    """``masir process --json``: its summary. ``mapping``: a file among the bundled ones."""
    maps = ["--map", BUNDLED / mapping] if mapping else []
    done = masir("process", *files, *maps, "--data", data, "--json", settings=settings)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def ask(data: Path, query: str) -> list[dict[str, Any]]:
    """``masir sql``: the rows of the answer."""
    answer = masir("sql", query, "--data", data, "--format", "JSONEachRow").stdout
    return [json.loads(line) for line in answer.splitlines()]


def ask_all(data: Path, *queries: str) -> list[list[dict[str, Any]]]:
    """The rows of each answer, by one command."""
    asked = " UNION ALL ".join(
        f"SELECT {number} AS number, groupArray(formatRowNoNewline('JSONEachRow', *)) AS found FROM ({query})"
        for number, query in enumerate(queries)
    )
    found = sorted(ask(data, asked), key=itemgetter("number"))
    return [[json.loads(row) for row in answer["found"]] for answer in found]


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """View -> some of the rows that only one of two exports has; empty when they are equal byte by byte."""
    assert one.keys() == other.keys()
    found = {}
    for view, content in one.items():
        if content != other[view]:
            mine, its = content.splitlines(), other[view].splitlines()
            found[view] = sorted(set(mine) - set(its))[:3], sorted(set(its) - set(mine))[:3]
    return found


def verify(data: Path, **settings: object) -> dict[str, Any]:
    """``masir verify --json``, whatever it says."""
    done = masir("verify", "--data", data, "--json", settings=settings, code=None)
    summary: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if summary["agrees"] else 1)
    return summary


def write_to_store(data: Path, *statements: str) -> None:
    """Past Masir, into its store; in a process of its own, since a process opens one store only."""
    subprocess.run(
        [sys.executable, "-c", WRITE, str(data / "clickhouse"), *statements],
        check=True,
        timeout=COMMAND_SECONDS,
        env=environment({}),
    )


def write_lines(path: Path, hits: Iterable[bytes]) -> Path:
    """An NDJSON file, gzipped if its name says so."""
    content = b"".join(hit + b"\n" for hit in hits)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def hit(visitor: str, time: int, **fields: Any) -> bytes:
    """A page view of site ``shop``."""
    known = {"site": "shop", "event": "page_view", "visitor_id": visitor, "time": time}
    return json.dumps(known | fields).encode()


def pairs_and_ties() -> list[bytes]:
    """What must not depend on which hit comes first. Each has a ``hit_id``."""
    return [b'%s,"hit_id":"s%d"}' % (raw[:-1], n) for n, raw in enumerate([*_pairs(), *_ties()])]


def _pairs() -> list[bytes]:
    """Exactly the timeout apart, and a millisecond more."""
    return [
        hit("exactly", T0),
        hit("exactly", T0 + HALF_HOUR),
        hit("more", T0),
        hit("more", T0 + HALF_HOUR + 1),
    ]


def _ties() -> list[bytes]:
    """Hits of the same millisecond that say different things: no session's field may depend on which comes first."""
    pages = ("pricing", "blog/a", "cart", "")
    return [
        hit(
            "ties",
            T0 + second * 1_000,
            url=f"https://shop.example/{page}",
            referrer=f"https://{page[:4] or 'x'}.example/",
            event="purchase" if page == "cart" else "page_view",
            language=page[:2],
            user_id=f"u{number % 2}",
        )
        for second in range(3)
        for number, page in enumerate(pages)
    ]


Labels = frozenset[tuple[str, str]]


def metrics(running: Running) -> dict[tuple[str, Labels], float]:
    """What ``/metrics`` says now: (name, labels) -> value."""
    with urlopen(f"{running.url}/metrics", timeout=COMMAND_SECONDS) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {
        (one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples
    }


def gauge(running: Running, name: str, **labels: str) -> float | None:
    """One sample; None when there is none."""
    return metrics(running).get((name, frozenset(labels.items())))


class HasUrl(Protocol):
    """What takes hits."""

    @property
    def url(self) -> str: ...


def post(running: HasUrl, *hits: bytes) -> dict[str, Any]:
    """Send hits in one request that must be taken; the answer."""
    with closing(Connection(lambda: running.url)) as connection:
        status, answer = connection.post(b"\n".join(hits))
    assert status in (200, 400), answer
    return answer


def now_ms() -> int:
    return time.time_ns() // 1_000_000
