"""What is measured and how much of it: one function per peer, each giving rows. A peer whose needs are not
met gives a row that says why, and the others go on.

``tell`` is called with what is under way.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import faust_peer, flink, stream
from bench.faust_records import HITS_TOPIC, PREFIX
from bench.jars import UnavailableError
from bench.kafka import Broker
from bench.process import Measure, cores, run_module
from bench.report import KAFKA, MASIR, SCALE, Row

Tell = Callable[[str], object]


class Size(NamedTuple):
    """``shop``: hits of the synthetic shop; ``faust``: of each Faust job, which are slow; ``kafka``: of the jobs over
    Kafka; ``scale``: numbers of visitors, ``scale_hits`` each.
    """

    visitors: int
    hits: int
    shop: int
    faust: dict[str, int]
    kafka: int
    flink: tuple[str, ...]
    scale: tuple[int, ...]
    scale_hits: int


FULL = Size(
    visitors=5_000,
    hits=400_000,
    shop=200_000,
    faust={"decode": 60_000, "sessions": 60_000, "regrouped": 20_000, "whole": 20_000},
    kafka=200_000,
    flink=("copy", "counts", "sessions", "sessions_rocksdb"),
    scale=(10_000, 100_000, 1_000_000),
    scale_hits=2_000_000,
)
QUICK = Size(
    visitors=2_000,
    hits=100_000,
    shop=50_000,
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


def shop_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """The whole job where hits are more than page views of strangers: persons, stages, signals and credits move."""
    path = directory / "shop.ndjson"
    tell("making hits of a shop")
    stream.write_shop(path, hits=size.shop)
    yield _attempt(tell, "masir_shop", "Masir, the whole job, hits of a shop", partial(masir, path))
    path.unlink()


def decode_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """The ceiling."""
    path = hits_file(directory, size)
    yield _attempt(tell, "decode", "bare msgspec decoding", partial(run_module, "bench.decode", str(path)))


def kafka_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """Masir over a real Kafka, then its peers over the same topic; the broker is on another core if there is one."""
    path = hits_file(directory, size)
    try:
        tell("starting Kafka (the first time: fetching it)")
        with Broker(directory / "kafka", core=cores()[1]) as broker:
            at, hits = broker.address, str(size.kafka)
            job = partial(run_module, "bench.kafka_job", at, str(path), hits, PREFIX)
            row = _attempt(tell, KAFKA, "Masir over Kafka, the whole job", job)
            yield row
            if row.measure is None:  # it fills the topic
                return
            reading = partial(run_module, "bench.kafka_decode", at, PREFIX, hits)
            yield _attempt(tell, "kafka_decode", "bare getmany and decoding", reading)
            faust_peer.prepare(at)
            for name, count in size.faust.items():
                work = partial(faust_peer.measure, at, name, count)
                yield _attempt(tell, f"faust_{name}", FAUST_TITLES[name], work)
            topic = flink.topic(at, HITS_TOPIC)
            yield from _flink_rows(tell, "sessions", topic, size.kafka, over_kafka=True)
    except UnavailableError as reason:
        yield Row(KAFKA, "over Kafka", left_out=str(reason))


def flink_rows(tell: Tell, directory: Path, size: Size) -> Iterator[Row]:
    """Both runs of each Flink job over the file."""
    source = flink.file(hits_file(directory, size))
    for job in size.flink:
        yield from _flink_rows(tell, job, source, size.hits)


def _flink_rows(
    tell: Tell, job: str, source: flink.Source, hits: int, *, over_kafka: bool = False
) -> Iterator[Row]:
    key, title = f"flink_{job}", FLINK_TITLES[job]
    if over_kafka:
        key, title = f"kafka_{key}", title.replace("Flink", "Flink over Kafka")
    tell(f"{title} (the first time: fetching Flink)")
    try:
        first, second = flink.measure(flink.JOBS[job], source, hits)
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
    "shop": shop_rows,
    "decode": decode_rows,
    "kafka": kafka_rows,
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
