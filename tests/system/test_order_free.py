"""The views depend on the set of the hits: not on order, files, partitions, redelivery or a crash."""

import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from agents.embedded import APP
from bench.running import MASIR, environment, export, wait_for, without_duplicates
from pipeline.core.decode import Flaw, decode
from pipeline.core.event_time import to_ms
from pipeline.demo.simulator import simulate
from pipeline.sources import read_hits, read_options
from pipeline.transport.log import Log
from schemas.topics import HITS
from tests.forked import installed_masir

from .kit import BUNDLED, T0, differing, pairs_and_ties, process, verify, write_lines

WIKI_HITS = 4_000
CUSTOMERS = 150
DAYS = 30
DIRT = 0.01
FEW = 50  # rows of state in memory

Hits = list[bytes]


def _time(raw: bytes) -> int:
    read = decode(raw)
    return 0 if isinstance(read, Flaw) or read.time is None else to_ms(read.time)


def _is_readable(raw: bytes) -> bool:
    return not isinstance(decode(raw), Flaw)


@pytest.fixture(scope="module")
def hits() -> Hits:
    """Real readers, not sorted by time, and synthetic customers, some of whose hits cannot be read."""
    options = read_options(maps=[str(BUNDLED / "wikipedia.toml")])
    wiki = read_hits(str(BUNDLED / "wikipedia_sessions.csv.gz"), options)
    shop, _ = simulate(seed=7, customers=CUSTOMERS, start_ms=T0, days=DAYS, dirt=DIRT)
    named = [b'%s,"hit_id":"w%d"}' % (raw[:-1], number) for number, raw in enumerate(islice(wiki, WIKI_HITS))]
    return named + list(shop) + pairs_and_ties()


@pytest.fixture(scope="module")
def usual(hits: Hits, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The views of the hits in the order in which they come."""
    directory = tmp_path_factory.mktemp("usual")
    with installed_masir():
        process(directory / "data", write_lines(directory / "hits.ndjson", hits))
    assert verify(directory / "data")["agrees"]
    return export(directory / "data")


def _shuffled(hits: Hits) -> Hits:
    return random.Random(11).sample(hits, len(hits))


ORDERS: dict[str, Callable[[Hits], Hits]] = {
    "sorted": lambda hits: sorted(hits, key=_time),
    "reversed": lambda hits: sorted(hits, key=_time, reverse=True),
    "shuffled": _shuffled,
}


@pytest.mark.parametrize("order", ORDERS)
def test_order(hits: Hits, usual: dict[str, bytes], tmp_path: Path, order: str) -> None:
    ordered = ORDERS[order](hits)
    assert ordered != hits
    process(tmp_path / "data", write_lines(tmp_path / "hits.ndjson", ordered))
    assert differing(export(tmp_path / "data"), usual) == {}


def test_half_an_hour_in_either_order(usual: dict[str, bytes]) -> None:
    """That every order gives this, the other tests say."""
    sessions = usual["sessions"].decode().splitlines()
    assert [sum(f"\t{name}\t" in row for row in sessions) for name in ("exactly", "more")] == [1, 2]


@pytest.mark.parametrize("partitions", [1, 3])
def test_partitions(hits: Hits, usual: dict[str, bytes], tmp_path: Path, partitions: int) -> None:
    process(tmp_path / "data", write_lines(tmp_path / "hits.ndjson", _shuffled(hits)), partitions=partitions)
    assert differing(export(tmp_path / "data"), usual) == {}


def test_files_processed_one_after_the_other(hits: Hits, usual: dict[str, bytes], tmp_path: Path) -> None:
    """Each file has hits of every session: what the first run closes, the others correct. Hardly any of the persons
    fit into the memory.
    """
    shuffled = _shuffled(hits)
    for number in range(3):
        file = write_lines(tmp_path / f"{number}.ndjson.gz", shuffled[number::3])
        process(tmp_path / "data", file, state_rows=FEW)
    assert differing(export(tmp_path / "data"), usual) == {}
    assert verify(tmp_path / "data")["agrees"]


def test_repeated_hits_count_once(hits: Hits, usual: dict[str, bytes], tmp_path: Path) -> None:
    readable = [raw for raw in hits if _is_readable(raw)]
    twice = _shuffled(hits + readable)
    summary = process(tmp_path / "data", write_lines(tmp_path / "hits.ndjson", twice))
    assert summary["duplicate"] >= len(readable)
    views = export(tmp_path / "data")
    assert differing(without_duplicates(views), without_duplicates(usual)) == {}


def test_killed_and_processed_again(hits: Hits, usual: dict[str, bytes], tmp_path: Path) -> None:
    """What had been read is read again, and has a hit_id: the second run finds it to be known. So is what did not fit
    into the memory.
    """
    unreadable = [raw for raw in hits if not _is_readable(raw)]
    file = write_lines(tmp_path / "hits.ndjson", [raw for raw in hits if _is_readable(raw)])
    data = tmp_path / "data"
    first = subprocess.Popen(
        [MASIR, "process", str(file), "--data", str(data)],
        env=environment({"state_rows": FEW}),
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: first.poll() is not None or _consumed(data / "masir.db") >= WIKI_HITS // 4, "the middle")
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    summary = process(data, file, state_rows=FEW)
    assert summary["duplicate"] > 0
    process(data, write_lines(tmp_path / "rest.ndjson", unreadable))
    assert differing(without_duplicates(export(data)), without_duplicates(usual)) == {}


def _consumed(database: Path) -> int:
    """Hits that the sessionizer has done with."""
    if not database.exists():
        return 0
    with closing(Log(database)) as log:
        return sum(offset for (topic, _), offset in log.committed(APP).items() if topic == HITS.name)
