"""Faults of the store: ``python -m bench.faults_store [--rounds 5]``. As :mod:`bench.faults`, but ``masir run`` has its
store on a ClickHouse server (:mod:`bench.clickhouse`), and it is the server that is struck while hits come in.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from bench.clickhouse import ClickHouse
from bench.faults import (
    HITS_PER_ROUND,
    SEED,
    SETTINGS,
    Result,
    as_table,
    result_of,
    settle,
    shop_hits,
    undisturbed,
)
from bench.running import Running
from bench.senders import strike_under_load

ROUNDS = 5
SHORT_SECONDS, LONG_SECONDS = 3.0, 60.0
BLOCKS = 5  # inserts in a row that go wrong


def restart(server: ClickHouse, _running: Running, _rng: random.Random) -> None:
    """``kill -9`` of the server, and start again."""
    server.kill()
    server.start()


def away(server: ClickHouse, _running: Running, _rng: random.Random) -> None:
    """Stopped for a minute."""
    server.stop()
    time.sleep(LONG_SECONDS)
    server.start()


def both(server: ClickHouse, running: Running, rng: random.Random) -> None:
    """Masir is killed while the server is away."""
    server.kill()
    time.sleep(rng.uniform(0, SHORT_SECONDS))
    running.kill()
    server.start()
    running.start()


def armed(kind: str) -> Callable[[ClickHouse, Running, random.Random], None]:
    """The next inserts meet this fault of the server's."""

    def strike(server: ClickHouse, _running: Running, _rng: random.Random) -> None:
        server.arm(kind, match="INSERT INTO", times=BLOCKS, seconds=SHORT_SECONDS)

    return strike


FAULTS = {
    "store: kill -9, started again": restart,
    f"store: away for {LONG_SECONDS:.0f} s": away,
    "store: killed, then Masir while it is away": both,
    f"store: 500 after {BLOCKS} inserts that took place": armed("error_after"),
    f"store: connection cut after {BLOCKS} inserts that took place": armed("cut_after"),
    f"store: {BLOCKS} inserts refused": armed("error"),
    f"store: {BLOCKS} inserts take {SHORT_SECONDS:.0f} s": armed("slow"),
}


def disturbed(
    directory: Path, hits: Sequence[bytes], fault: str, *, rounds: int, expected: Mapping[str, bytes]
) -> Result:
    """Strike ``rounds`` times, each under load."""
    rng, started = random.Random(f"{fault}/{SEED}"), time.monotonic()
    with (
        ClickHouse(directory / "ch") as server,
        Running(directory / "data", clickhouse=server.url, **SETTINGS) as running,
    ):
        strikes = [partial(FAULTS[fault], server, running, rng)] * rounds
        senders = strike_under_load(hits, lambda: running.url, strikes, rng)
        settle(running, hits)
        return result_of(
            running, hits, fault=fault, rounds=rounds, senders=senders, expected=expected, started=started
        )


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="Of each fault.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), help="This fault; may be repeated.")
def main(rounds: int, only: tuple[str, ...]) -> None:
    """Strike the store of a running pipeline under load and compare what is in it with what was sent."""
    results = []
    hits = shop_hits(rounds * HITS_PER_ROUND, seed=SEED, now_ms=time.time_ns() // 1_000_000)
    with tempfile.TemporaryDirectory() as name, Console(stderr=True).status("undisturbed") as status:
        expected = undisturbed(Path(name) / "undisturbed", hits)
        for number, fault in enumerate(only or FAULTS):
            status.update(fault)
            directory = Path(name) / f"{number}"
            directory.mkdir()
            results.append(disturbed(directory, hits, fault, rounds=rounds, expected=expected))
    Console(width=None if sys.stdout.isatty() else 160).print(as_table(results))
    raise SystemExit(int(not all(result.is_well for result in results)))


if __name__ == "__main__":
    main()
