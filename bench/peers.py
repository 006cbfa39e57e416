"""What is measured and how much of it: one function per peer, each giving rows. A peer whose needs are not
met gives a row that says why, and the others go on.

``tell`` is called with what is under way.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import faust_peer, flink, stream
from bench.jars import UnavailableError
from bench.kafka import Broker
from bench.process import Measure, cores, run_module
from bench.report import MASIR, SCALE, Row

Tell = Callable[[str], object]


class Size(NamedTuple):
    """``faust``: hits of each Faust job, which are slow; ``kafka``: of the jobs over Kafka; ``scale``: numbers of
    visitors, ``scale_hits`` each.
    """

    visitors: int
    hits: int
    faust: dict[str, int]
    kafka: int
    flink: tuple[str, ...]
    scale: tuple[int, ...]
    scale_hits: int


FULL = Size(
    visitors=5_000,
    hits=400_000,
    faust={"decode": 60_000, "sessions": 60_000, "regrouped": 20_000, "whole": 20_000},
    kafka=200_000,
    flink=("copy", "counts", "sessions", "sessions_rocksdb"),
    scale=(10_000, 100_000, 1_000_000),
    scale_hits=2_000_000,
)
QUICK = Size(
    visitors=2_000,
    hits=100_000,
    faust={"decode": 20_000, "sessions": 20_000, "whole": 10_000},
    kafka=50_000,
    flink=("copy", "sessions"),
    scale=(10_000, 50_000),
    scale_hits=100_000,
)
SCALE_HITS_PER_VISITOR = 2

FAUST_TITLES = {
    "decode": "stock Faust, decode only",
    "sessions": "plain Faust, sessions only, hits already keyed",
    "regrouped": "plain Faust, sessions only, with group_by",
    "whole": "plain Faust, the whole job",
}
KAFKA_TITLES = {
    "job": "Masir over Kafka, the whole job",
    "decode": "bare getmany and decoding",
}
FLINK_TITLES = {
    "copy": "Flink: JSON to nothing",
    "counts": "Flink: session windows, counts only",
    "sessions": "Flink: session windows, the session's row",
    "sessions_rocksdb": "Flink: the same in RocksDB",
}


def masir(path: Path) -> Measure:
    """The whole job over the file."""
    return run_module("bench.masir_job", str(path))


def masir_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """The whole job, once."""
    yield _attempt(tell, MASIR, "Masir, the whole job", partial(masir, hits_file(directory, size)))


def decode_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """The ceiling."""
    path = hits_file(directory, size)
    yield _attempt(tell, "decode", "bare msgspec decoding", partial(run_module, "bench.decode", str(path)))


def faust_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """Stock Faust on a real Kafka; the broker runs on another core than the job, if there is one."""
    path = hits_file(directory, size)
    try:
        tell("starting Kafka (the first time: fetching it)")
        with Broker(directory / "kafka", core=cores()[1]) as broker:
            tell("filling the topic")
            faust_peer.fill(broker.address, path, max(size.faust.values()))
            for job, hits in size.faust.items():
                work = partial(faust_peer.measure, broker.address, job, hits)
                yield _attempt(tell, f"faust_{job}", FAUST_TITLES[job], work)
    except UnavailableError as reason:
        yield Row("faust", "plain Faust", left_out=str(reason))


def kafka_rows(tell: Tell, directory: Path, size: Size, *, job: str) -> Iterator[Row]:
    """One job of the distributed form, over a real Kafka on another core if there is one."""
    path, key = hits_file(directory, size), f"kafka_{job}"
    try:
        tell("starting Kafka (the first time: fetching it)")
        with Broker(directory / "kafka", core=cores()[1]) as broker:
            work = partial(run_module, f"bench.kafka_{job}", broker.address, str(path), str(size.kafka))
            yield _attempt(tell, key, KAFKA_TITLES[job], work)
    except UnavailableError as reason:
        yield Row(key, KAFKA_TITLES[job], left_out=str(reason))


def flink_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """Both runs of each Flink job."""
    path = hits_file(directory, size)
    for job in size.flink:
        key, title = f"flink_{job}", FLINK_TITLES[job]
        tell(f"{title} (the first time: fetching Flink)")
        try:
            first, second = flink.measure(flink.JOBS[job], path, size.hits)
        except UnavailableError as reason:
            yield Row(key, title, left_out=str(reason))
        else:
            yield Row(key, f"{title}, first run", first)
            yield Row(f"{key}_warm", f"{title}, second run", second)


def scale_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """Masir over as many hits of ever more visitors."""
    path = directory / "scale.ndjson"
    for visitors in size.scale:
        tell(f"making hits of {visitors:,} visitors")
        stream.write_rounds(
            path, visitors=visitors, hits=size.scale_hits, hits_per_visitor=SCALE_HITS_PER_VISITOR
        )
        row = _attempt(tell, f"{SCALE}{visitors}", f"Masir, {visitors:,} visitors", partial(masir, path))
        path.unlink()
        yield row


PEERS: dict[str, Callable[[Tell, Path, Size], Iterator[Row]]] = {
    "masir": masir_rows,
    "decode": decode_rows,
    "faust": faust_rows,
    "kafka_job": partial(kafka_rows, job="job"),
    "kafka_decode": partial(kafka_rows, job="decode"),
    "flink": flink_rows,
    "scale": scale_rows,
}


def hits_file(directory: Path, size: Size) -> Path:
    """The file that all peers read; made when the first asks for it."""
    path = directory / "hits.ndjson"
    if not path.exists():
        stream.write(path, visitors=size.visitors, hits=size.hits)
    return path


def _attempt(tell: Tell, key: str, title: str, work: Callable[[], Measure]) -> Row:
    tell(title)
    try:
        return Row(key, title, work())
    except UnavailableError as reason:
        return Row(key, title, left_out=str(reason))
