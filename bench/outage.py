"""``python -m bench.outage``: ten minutes at half load, the broker killed twice; what was acknowledged is stored.

The distributed form on this machine over a real Kafka: a collector with a spool, workers, a store. Visitors on some
connections send one hit a request, as browsers do, and send it again until it is acknowledged. First they measure how
many of them the whole takes (full load), then they keep to half of that; the broker is killed with ``kill -9`` at a
third and at two thirds of the time, and is away for a while. In the end every acknowledged hit must be in the view
``hits`` once, and the ledger must add up. Exit code 1 otherwise. Seconds are seconds.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from bench.cluster import Cluster
from bench.kafka import Brokers
from bench.running import wait_for
from bench.senders import Connection

SITE = "outage"
CONNECTIONS = 32
FULL_SECONDS = 15.0
SPOOL_BYTES = 268_435_456
SETTLING_SECONDS = 900.0  # for hits that wait for a busy machine
_RETRY_SECONDS = 0.2


class Visitor(threading.Thread):
    """Sends hit after hit over one connection until told to end. ``pause``: from one hit to the next, as it is due.

    ``acknowledged``: the hits of this one that were; ``answers``: how often each status came, 0 for none at all.
    """

    def __init__(self, name: str, address: Callable[[], str], pause: float) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.answers: Counter[int] = Counter()
        self.slowest = 0.0
        self.prefix = name
        self._pause = pause
        self._connection = Connection(address)
        self._ending = threading.Event()

    def run(self) -> None:
        """See the class. A hit that is under way at the end may be stored and not be acknowledged."""
        due = time.monotonic()
        with closing(self._connection):
            while not self._ending.wait(max(0.0, due - time.monotonic())):
                if self._send(self.acknowledged):
                    self.acknowledged += 1
                    due = max(due + self._pause, time.monotonic() - 1)  # it catches up a second at most
                else:
                    due = time.monotonic() + _RETRY_SECONDS

    def end(self) -> None:
        """After the hit in hand."""
        self._ending.set()

    def _send(self, number: int) -> bool:
        hit = {
            "site": SITE,
            "event": "page_view",
            "visitor_id": f"{self.prefix}-{number // 5}",
            "hit_id": f"{self.prefix}-{number}",
            "url": f"https://shop.example/products/{number % 97}",
        }
        began = time.monotonic()
        try:
            status, _ = self._connection.post(msgspec.json.encode(hit))
        except (OSError, HTTPException, msgspec.DecodeError):
            status = 0
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[status] += 1
        return status == 200


class Result(Struct):
    """``lost``: acknowledged and not in the store. ``unasked``: stored and not acknowledged: in hand at the end.

    ``known``: hits that came a second time, of which the ledger has one duplicate each. ``uncounted``: by the ledger.
    """

    seconds: float
    full_rate: float
    kills: int
    acknowledged: int
    answers: Counter[int]
    slowest: float
    known: int
    lost: int
    twice: int
    unasked: int
    uncounted: int

    @property
    def is_well(self) -> bool:
        """Acknowledged is stored, once."""
        return not (self.lost or self.twice or self.uncounted) and self.unasked <= 2 * CONNECTIONS


@contextmanager
def visiting(cluster: Cluster, run: str, rate: float | None = None) -> Iterator[list[Visitor]]:
    """Visitors at work; ``rate``: hits per second of all together, None: as fast as they are answered."""
    pause = CONNECTIONS / rate if rate else 0.0
    visitors = [Visitor(f"{run}{number}", lambda: cluster.url, pause) for number in range(CONNECTIONS)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in visitors:
            visitor.end()
        for visitor in visitors:
            visitor.join()


def endured(directory: Path, *, seconds: float, kills: int, away: float) -> Result:
    """The whole of it; LateError when the store does not get what was acknowledged."""
    with (
        Brokers(directory / "kafka") as brokers,
        Cluster(directory / "data", brokers.address, workers=1, spool_bytes=SPOOL_BYTES) as cluster,
    ):
        with visiting(cluster, "full") as first:
            time.sleep(FULL_SECONDS)
        full_rate = sum(visitor.acknowledged for visitor in first) / FULL_SECONDS
        began = time.monotonic()
        with visiting(cluster, "half", full_rate / 2) as second:
            for kill in range(1, kills + 1):
                time.sleep(max(0.0, began + seconds * kill / (kills + 1) - time.monotonic()))
                (broker,) = brokers.nodes
                broker.kill()
                time.sleep(away)
                broker.start()
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        lasted = time.monotonic() - began
        return _result(cluster, [*first, *second], lasted, full_rate, kills)


def _result(
    cluster: Cluster, visitors: Sequence[Visitor], seconds: float, full_rate: float, kills: int
) -> Result:
    acknowledged = {
        f"{visitor.prefix}-{number}" for visitor in visitors for number in range(visitor.acknowledged)
    }
    where = f"site = '{SITE}'"
    wait_for(
        lambda: cluster.value(f"SELECT count() FROM hits WHERE {where}") >= len(acknowledged),
        f"{len(acknowledged)} hits are stored",
        seconds=SETTLING_SECONDS,
    )
    cluster.wait_until_drained()
    stored = [row["hit_id"] for row in cluster.query(f"SELECT hit_id FROM hits WHERE {where}")]
    ledger = {
        row["outcome"]: int(row["hits"])
        for row in cluster.query(
            f"SELECT outcome, sum(hits) AS hits FROM ledger WHERE {where} GROUP BY outcome"
        )
    }
    known = ledger.pop("duplicate", 0)
    return Result(
        seconds=seconds,
        full_rate=full_rate,
        kills=kills,
        acknowledged=len(acknowledged),
        answers=sum((visitor.answers for visitor in visitors), Counter()),
        slowest=max(visitor.slowest for visitor in visitors),
        known=known,
        lost=len(acknowledged - set(stored)),
        twice=len(stored) - len(set(stored)),
        unasked=len(set(stored) - acknowledged),
        uncounted=len(stored) - sum(ledger.values()),
    )


def as_table(one: Result) -> Table:
    """For a terminal, and for docs/faults.md."""
    failed = sum(count for status, count in one.answers.items() if status != 200)
    columns = {
        "seconds": f"{one.seconds:.0f}",
        "full load, hits/s": f"{one.full_rate:,.0f}",
        "kills": str(one.kills),
        "acknowledged": f"{one.acknowledged:,}",
        "not taken": f"{failed:,}",
        "slowest answer, s": f"{one.slowest:.1f}",
        "known": f"{one.known:,}",
        "lost": f"{one.lost:,}",
        "twice": f"{one.twice:,}",
        "ledger": "adds up" if not one.uncounted else f"{one.uncounted:+,}",
    }
    table = Table(box=box.MARKDOWN)
    for name in columns:
        table.add_column(name, justify="right")
    table.add_row(*columns.values())
    return table


@click.command()
@click.option("--seconds", type=click.FloatRange(30), default=600.0, show_default=True, help="At half load.")
@click.option("--kills", type=click.IntRange(1), default=2, show_default=True, help="kill -9 of the broker.")
@click.option("--away", type=click.FloatRange(0), default=10.0, show_default=True, help="Seconds, each time.")
def main(seconds: float, kills: int, away: float) -> None:
    """Kill the broker under load, and compare what was acknowledged with what is stored.

    Example: python -m bench.outage --seconds 120
    """
    with tempfile.TemporaryDirectory() as directory:
        result = endured(Path(directory), seconds=seconds, kills=kills, away=away)
    Console(width=None if sys.stdout.isatty() else 140).print(as_table(result))
    raise SystemExit(int(not result.is_well))


if __name__ == "__main__":
    main()
