"""``python -m bench.faults``: ``masir run`` is killed, stopped, frozen under load; nothing is lost or twice.

Senders on several connections send the hits of a synthetic shop, each visitor's in event-time order, and send
again what was not acknowledged. After the last round the store is compared, view by view and byte by byte,
with that of a run of the same hits which nothing disturbed, and ``masir verify`` recomputes it. Moments are
random, from a seed. Exit code 1 when a hit is lost or counted twice, or anything differs.
"""

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from bench.running import Running, command, export, wait_for, without_duplicates
from bench.senders import BATCH, CONNECTIONS, Connection, Sender, sending, strike_under_load, wait_for_hits
from pipeline.demo.simulator import simulate

ROUNDS = 20
SEED = 7
HITS_PER_ROUND = 400
MOST_STARTING_SECONDS = 4.0
FROZEN_SECONDS = 3.0
SITE = "shop"
DAYS = 20
DAY_MS = 86_400_000
CLOCKS = 40  # visitors of another site, of whom some are in each partition
SETTINGS: dict[str, object] = {
    "allowed_lateness_seconds": 90 * 86_400,  # one connection may be far behind another in event time
    "dedupe_hours": 91 * 24,
}
FEW: dict[str, object] = {"state_rows": 20}  # of what is struck: most of its persons are on disk

Strike = Callable[[Running, random.Random], None]


class Target(Protocol):
    """A running pipeline, of whatever form. ``url``: where hits go; empty while that is not known."""

    data: Path

    @property
    def url(self) -> str: ...

    def query(self, sql: str) -> list[dict[str, Any]]: ...

    def value(self, sql: str) -> Any: ...

    def wait_for_value(self, sql: str, expected: Any) -> None: ...

    def wait_until_drained(self) -> None: ...


def kill(running: Running, _: random.Random) -> None:
    """``kill -9``, and start again."""
    running.kill()
    running.start()


def kill_twice(running: Running, rng: random.Random) -> None:
    """``kill -9``, and again while it starts."""
    running.kill()
    running.spawn()
    time.sleep(rng.uniform(0, MOST_STARTING_SECONDS))
    running.kill()
    running.start()


def stop(running: Running, _: random.Random) -> None:
    """As an upgrade does it."""
    running.stop()
    running.start()


def freeze(running: Running, _: random.Random) -> None:
    """SIGSTOP, and SIGCONT some time later."""
    running.send(signal.SIGSTOP)
    time.sleep(FROZEN_SECONDS)
    running.send(signal.SIGCONT)


FAULTS: dict[str, Strike] = {
    "kill -9": kill,
    "kill -9, and again while it starts": kill_twice,
    "SIGTERM": stop,
    f"SIGSTOP for {FROZEN_SECONDS:.0f} s": freeze,
}


class Result(Struct):
    """``lost``: acknowledged and not in the store. ``differing``: views unlike those of the undisturbed run.

    ``resent``: sent again since the answer did not come; ``known``: those of them that had been taken.
    ``disagreeing``: checks of ``masir verify`` that found rows. ``uncounted``: hits that the ledger
    has too few; negative: too many.
    """

    fault: str
    rounds: int
    hits: int
    resent: int
    known: int
    lost: int
    twice: int
    uncounted: int
    differing: list[str]
    disagreeing: list[str]
    seconds: float

    @property
    def is_well(self) -> bool:
        """Nothing was lost, is there twice, or differs."""
        return not (self.lost or self.twice or self.uncounted or self.differing or self.disagreeing)


def shop_hits(count: int, *, seed: int, now_ms: int) -> list[bytes]:
    """The first ``count`` hits of a synthetic shop's last weeks."""
    hits, _ = simulate(
        seed=seed, customers=count // 8 + 20, start_ms=now_ms - 2 * DAYS * DAY_MS, days=DAYS, site=SITE
    )
    return [raw for raw, _ in zip(hits, range(count), strict=False)]


def undisturbed(data: Path, hits: Sequence[bytes]) -> dict[str, bytes]:
    """The views of a run in which nothing happens."""
    with Running(data, **SETTINGS) as running:
        with sending(hits, lambda: running.url, connections=CONNECTIONS, batch=BATCH) as senders:
            wait_for_hits(senders, len(hits))
        settle(running, hits)
        return without_duplicates(export(data))


def disturbed(
    data: Path, hits: Sequence[bytes], fault: str, *, rounds: int, seed: int, expected: Mapping[str, bytes]
) -> Result:
    """Strike ``rounds`` times, each under load."""
    rng, started = random.Random(f"{fault}/{seed}"), time.monotonic()
    with Running(data, **SETTINGS, **FEW) as running:
        strikes = [partial(FAULTS[fault], running, rng)] * rounds
        senders = strike_under_load(hits, lambda: running.url, strikes, rng)
        settle(running, hits)
        return result_of(
            running, hits, fault=fault, rounds=rounds, senders=senders, expected=expected, started=started
        )


def result_of(
    running: Target,
    hits: Sequence[bytes],
    *,
    fault: str,
    rounds: int,
    senders: Sequence[Sender],
    expected: Mapping[str, bytes],
    started: float,
) -> Result:
    """Compare what a settled pipeline has with what was sent. ``started``: by the monotonic clock."""
    seconds = time.monotonic() - started
    views = without_duplicates(export(running.data))
    stored = [row["hit_id"] for row in running.query(f"SELECT hit_id FROM hits WHERE site = '{SITE}'")]
    return Result(
        fault=fault,
        rounds=rounds,
        hits=len(hits),
        resent=sum(sender.resent for sender in senders),
        known=counted(running, "outcome = 'duplicate'"),
        lost=len(set(map(hit_id, hits)) - set(stored)),
        twice=len(stored) - len(set(stored)),
        uncounted=len(hits) - counted(running, "outcome != 'duplicate'"),
        differing=[view for view in views if views[view] != expected[view]],
        disagreeing=disagreeing(running.data),
        seconds=seconds,
    )


def settle(running: Target, hits: Sequence[bytes]) -> None:
    """Hits of another site, hours after the last, close the shop's sessions in every partition."""
    after_ms = msgspec.json.decode(hits[-1])["time"] + DAY_MS
    clocks = [
        b'{"site":"clock","event":"page_view","visitor_id":"c%d","hit_id":"c%d","time":%d}' % (n, n, after_ms)
        for n in range(CLOCKS)
    ]
    with closing(Connection(lambda: running.url)) as connection:
        wait_for(lambda: _takes(connection, b"\n".join(clocks)), "the clock's hits are taken")
    running.wait_for_value("SELECT count() FROM sessions WHERE site = 'clock'", CLOCKS)
    running.wait_for_value(f"SELECT countIf(NOT closed) FROM sessions WHERE site = '{SITE}'", 0)
    running.wait_until_drained()


def _takes(connection: Connection, body: bytes) -> bool:
    """After a fault the door may turn hits away for a while."""
    try:
        return connection.post(body)[0] == 200
    except (OSError, HTTPException, msgspec.DecodeError):
        return False


def hit_id(raw: bytes) -> str:
    name: str = msgspec.json.decode(raw)["hit_id"]
    return name


def counted(running: Target, where: str) -> int:
    return int(running.value(f"SELECT sum(hits) FROM ledger WHERE site = '{SITE}' AND {where}") or 0)


def disagreeing(data: Path) -> list[str]:
    done = command("verify", "--data", data, "--json")
    if not done.stdout:
        return [done.stderr.decode(errors="replace")]
    return [check for check, rows in msgspec.json.decode(done.stdout)["checks"].items() if rows]


def as_table(results: Sequence[Result]) -> Table:
    """For a terminal, and for docs/faults.md."""
    table = Table(box=box.MARKDOWN)
    for name in (
        "fault",
        "rounds",
        "hits",
        "sent again",
        "known",
        "lost",
        "twice",
        "views",
        "verify",
        "seconds",
    ):
        table.add_column(name, justify="left" if name in ("fault", "views", "verify") else "right")
    for one in results:
        numbers = (one.rounds, one.hits, one.resent, one.known, one.lost, one.twice)
        views = ", ".join(one.differing) or "identical"
        agreement = ", ".join(one.disagreeing) or "agrees"
        table.add_row(
            one.fault, *(f"{number:,}" for number in numbers), views, agreement, f"{one.seconds:.0f}"
        )
    return table


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="Of each fault.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the hits and of the moments.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), help="This fault; may be repeated.")
def main(rounds: int, seed: int, only: tuple[str, ...]) -> None:
    """Strike a running pipeline under load and compare what is in its store with what was sent.

    Example: python -m bench.faults --rounds 3 --only "kill -9"
    """
    results = []
    hits = shop_hits(rounds * HITS_PER_ROUND, seed=seed, now_ms=time.time_ns() // 1_000_000)
    with tempfile.TemporaryDirectory() as directory, Console(stderr=True).status("undisturbed") as status:
        expected = undisturbed(Path(directory) / "undisturbed", hits)
        for number, fault in enumerate(only or FAULTS):
            status.update(fault)
            data = Path(directory) / f"{number}"
            results.append(disturbed(data, hits, fault, rounds=rounds, seed=seed, expected=expected))
    Console(width=None if sys.stdout.isatty() else 140).print(as_table(results))
    raise SystemExit(int(not all(result.is_well for result in results)))


if __name__ == "__main__":
    main()
