"""``python -m bench.faults_kafka``: the distributed form, struck under load; nothing is lost or twice.

As :mod:`bench.faults`, over a real Kafka: workers are killed, join and leave, are frozen for longer than the group
waits and come back; the broker is killed; the collector is killed between its producing and its answer. After the last
round the store is compared, view by view and byte by byte, with that of ``masir run`` over the same hits, which nothing
disturbed. Exit code 1 when a hit is lost or counted twice, or anything differs.
"""

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from bench.cluster import HOPS, Cluster, Process
from bench.faults import (
    FEW,
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
from bench.kafka import Brokers
from bench.senders import strike_under_load

ROUNDS = 10
LOST_SECONDS = 6  # worker_lost_seconds: the least that the broker allows by default
MOST_APART_SECONDS = 3.0

Strike = Callable[[Cluster, Brokers, random.Random], None]


def kill_worker(cluster: Cluster, _: Brokers, rng: random.Random) -> None:
    """``kill -9`` of a worker, and start it again some time later."""
    victim = rng.choice(cluster.workers)
    victim.kill()
    time.sleep(rng.uniform(0, MOST_APART_SECONDS))
    victim.spawn()
    victim.wait_until_started()


def kill_store(cluster: Cluster, _: Brokers, __: random.Random) -> None:
    """``kill -9`` of the worker that holds the store."""
    cluster.store.kill()
    cluster.store.spawn()
    cluster.store.wait_until_started()


def join_and_leave(cluster: Cluster, _: Brokers, rng: random.Random) -> None:
    """One more worker, for a while: partitions go to it and come back, in good order."""
    guest = Process(cluster.data.with_name("guest.log"), cluster.settings, "worker", "--hops", HOPS)
    guest.spawn()
    try:
        guest.wait_until_started()
        time.sleep(rng.uniform(0, MOST_APART_SECONDS))
        if guest.stop() != 0:
            raise RuntimeError(f"a worker did not stop well: {guest.said}")
    finally:
        if guest.is_running:
            guest.kill()


def freeze_worker(cluster: Cluster, _: Brokers, rng: random.Random) -> None:
    """SIGSTOP for longer than the group waits: its partitions go to others, and it comes back as a zombie."""
    victim = rng.choice(cluster.workers)
    victim.send(signal.SIGSTOP)
    time.sleep(LOST_SECONDS + rng.uniform(2, 2 + MOST_APART_SECONDS))
    victim.send(signal.SIGCONT)


def kill_collector(cluster: Cluster, _: Brokers, __: random.Random) -> None:
    """``kill -9`` of the collector: hits may be in the topic and not yet acknowledged."""
    cluster.collector.kill()
    cluster.collector.spawn()
    cluster.collector.wait_until_started()


def kill_broker(_: Cluster, brokers: Brokers, rng: random.Random) -> None:
    """``kill -9`` of a broker, and start it again: of one, the only one; of three, a leader of some partitions."""
    victim = rng.choice(brokers.nodes)
    victim.kill()
    time.sleep(rng.uniform(0, MOST_APART_SECONDS))
    victim.start()


FAULTS: dict[str, Strike] = {
    "kill -9 of a worker": kill_worker,
    "kill -9 of the store's worker": kill_store,
    "a worker joins and leaves": join_and_leave,
    "a worker frozen until it is a zombie": freeze_worker,
    "kill -9 of the collector": kill_collector,
    "kill -9 of the broker": kill_broker,
}
THREE_BROKERS = "kill -9 of one of three brokers"


def disturbed(
    data: Path,
    brokers: Brokers,
    hits: Sequence[bytes],
    faults: Sequence[str],
    *,
    seed: int,
    expected: Mapping[str, bytes],
    **settings: object,
) -> Result:
    """Strike with one fault after the other, each under load."""
    named = ", ".join(dict.fromkeys(faults))
    rng, started = random.Random(f"{named}/{seed}"), time.monotonic()
    settings = {"broker_replication": len(brokers.nodes), **SETTINGS, **FEW, **settings}
    with Cluster(data, brokers.address, **settings) as cluster:  # type: ignore[arg-type]
        strikes = [partial(FAULTS.get(fault, kill_broker), cluster, brokers, rng) for fault in faults]
        senders = strike_under_load(hits, lambda: cluster.url, strikes, rng)
        settle(cluster, hits)
        return result_of(
            cluster,
            hits,
            fault=named,
            rounds=len(faults),
            senders=senders,
            expected=expected,
            started=started,
        )


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="Of each fault.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the hits and of the moments.")
@click.option("--only", multiple=True, type=click.Choice([*FAULTS, THREE_BROKERS]), help="May be repeated.")
def main(rounds: int, seed: int, only: tuple[str, ...]) -> None:
    """Strike running workers, collector and broker under load, and compare the store with what was sent.

    Example: python -m bench.faults_kafka --rounds 3 --only "kill -9 of a worker"
    """
    results = []
    hits = shop_hits(rounds * HITS_PER_ROUND, seed=seed, now_ms=time.time_ns() // 1_000_000)
    with tempfile.TemporaryDirectory() as name, Console(stderr=True).status("undisturbed") as status:
        directory = Path(name)
        expected = undisturbed(directory / "undisturbed", hits)
        for number, fault in enumerate(only or (*FAULTS, THREE_BROKERS)):
            status.update(fault)
            nodes = 3 if fault == THREE_BROKERS else 1
            with Brokers(directory / f"kafka{number}", nodes) as brokers:
                data = directory / f"{number}"
                results.append(disturbed(data, brokers, hits, [fault] * rounds, seed=seed, expected=expected))
    Console(width=None if sys.stdout.isatty() else 140).print(as_table(results))
    raise SystemExit(int(not all(result.is_well for result in results)))


if __name__ == "__main__":
    main()
