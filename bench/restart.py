"""How long a restart takes: ``python -m bench.restart [--visitors 1000000] [--state-rows 500000]``.

Takes a hit or two of so many visitors through the sessionizer, the journeys and the persons, as ``masir run`` does, and
then opens their state in a process of its own as a start after ``kill -9`` does. Prints the seconds, and the resident
bytes per visitor of all that was opened. Persons above ``--state-rows`` in each partition are on disk.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from agents.hop import Context, Hop
from agents.hops import load_models, plans
from bench import stream
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.log import Log
from pipeline.transport.rows import Cold
from pipeline.transport.state import StateStore
from schemas import topics

PARTITIONS = 4
UNIT = 5_000  # hits of a unit of work
HITS = 2
HOPS = ("sessionizer", "journeys", "persons")
_RSS_PAGES = 1


class Bench:
    """A transport that keeps state on disk, as the embedded one does, and records in memory."""

    def __init__(self, path: Path, rows: int) -> None:
        self.log = Log(path)
        self.cold = Cold(path.parent, rows)
        self.sent: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        settings = Settings(state_rows=rows)
        context = Context(self, Metrics(version="bench"))
        made = plans(context, settings, load_models(settings), _no_sink)
        self.hops: dict[str, Hop] = {plan.name: plan.make() for plan in made if plan.name in HOPS}

    def unit(self) -> "_Unit":
        """See :class:`agents.hop.Transport`, as for the others."""
        return _Unit(self)

    def state(self, store: str, partition: int) -> StateStore:
        return StateStore(self.log, store, partition, self.cold)

    def journal(self, store: str, partition: int) -> Journal:
        return Journal(self.log, store, partition)

    def partitions(self, topic: str) -> int:
        assert topic
        return PARTITIONS

    async def hand(self, hop: str, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """One batch to a hop, of a partition that is behind, so that the clock closes nothing."""
        batch = Batch(topic, partition, values, [0] * len(values), range(len(values)), 0, False, False, print)
        await self.hops[hop].handle(batch)


class _Unit:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        if topic in (topics.EVIDENCE.name, topics.TOUCHPOINTS.name):
            self._bench.sent[topic, partition] += values

    async def commit(self, batches: Sequence[Batch], stores: Sequence[Any], *, now_ms: int) -> None:
        assert batches or now_ms
        with self._bench.log.transaction():
            for store in stores:
                store.write_changes()


def _no_sink() -> Any:
    raise AssertionError("the store is not part of this")


def main() -> None:
    """Write the state, then open it in another process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=1_000_000)
    parser.add_argument("--state-rows", type=int, default=Settings().state_rows)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.open:
        _open(asked.open, asked.visitors, asked.state_rows)
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "masir.db"
        asyncio.run(_write(path, asked.visitors, asked.state_rows))
        again = ["-m", "bench.restart", "--visitors", str(asked.visitors), "--open", str(path)]
        again += ["--state-rows", str(asked.state_rows)]
        subprocess.run([sys.executable, *again], check=True)


async def _write(path: Path, visitors: int, rows: int) -> None:
    bench = Bench(path, rows)
    waiting: dict[int, list[bytes]] = defaultdict(list)
    hits = stream.rounds(visitors=visitors, hits_per_visitor=HITS)
    for number in range(visitors * HITS):
        line = next(hits)
        waiting[hash(line.partition(b'"visitor_id":"')[2][:16]) % PARTITIONS].append(line)
        if number % (UNIT * PARTITIONS) == UNIT * PARTITIONS - 1 or number == visitors * HITS - 1:
            for partition, values in waiting.items():
                await bench.hand("sessionizer", topics.HITS.name, partition, values)
            waiting.clear()
            sent, bench.sent = bench.sent, defaultdict(list)
            for (topic, partition), values in sent.items():
                hop = "journeys" if topic == topics.EVIDENCE.name else "persons"
                await bench.hand(hop, topic, partition, values)
    bench.log.close()


def _open(path: Path, visitors: int, rows: int) -> None:
    bench = Bench(path, rows)
    before, started = _resident_bytes(), perf_counter()
    for name, hop in bench.hops.items():
        begun, held = perf_counter(), _resident_bytes()
        for partition in range(PARTITIONS):
            hop._partition(partition)  # type: ignore[attr-defined]  # what its first batch does
        used = (_resident_bytes() - held) / visitors
        print(f"  {name}: {perf_counter() - begun:.1f} s, {used:,.0f} bytes per visitor")
    seconds = perf_counter() - started
    print(f"{visitors:,} visitors: {seconds:.1f} s to restore, {visitors / seconds:,.0f} visitors/s")
    print(f"{(_resident_bytes() - before) / visitors:,.0f} resident bytes per visitor, all hops together")
    bench.log.close()


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[_RSS_PAGES]
    return int(pages) * 4_096


if __name__ == "__main__":
    main()
