"""The input of a run: NDJSON files of synthetic page views, in event-time order, same arguments same
bytes.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pipeline.demo.load import RETURN_MS, load_stream
from pipeline.demo.simulator import simulate

SEED = 20
START_MS = 1_767_225_600_000
MAX_ROUNDS = 256

_HIT_ID = b'"hit_id":"'


def write(path: Path, *, visitors: int, hits: int) -> None:
    """One stream: each visitor comes back every hour, a visit has 8 hits on average."""
    _write(path, load_stream(seed=SEED, visitors=visitors, hits=hits))


def write_rounds(path: Path, *, visitors: int, hits: int, hits_per_visitor: int) -> None:
    """The same visitors every hour: files of equal ``hits`` differ in the number of visitors only."""
    _write(path, islice(rounds(visitors=visitors, hits_per_visitor=hits_per_visitor), hits))


def write_shop(path: Path, *, hits: int) -> None:
    """The synthetic shop, with logins, orders, refunds, e-mails, surveys and tickets: a customer has 13 hits or so."""
    shop, _ = simulate(seed=SEED, customers=hits // 10, start_ms=START_MS, days=300)
    _write(path, islice(shop, hits))


def rounds(*, visitors: int, hits_per_visitor: int) -> Iterator[bytes]:
    """Hours of the same visitors, up to :data:`MAX_ROUNDS`. No hit_id comes twice: its first byte is the
    round's.
    """
    for number in range(MAX_ROUNDS):
        mark = f"{number:02x}".encode()
        hour = load_stream(
            seed=SEED,
            visitors=visitors,
            hits=visitors * hits_per_visitor,
            start_ms=START_MS + number * 2 * RETURN_MS,
        )
        for line in hour:
            at = line.index(_HIT_ID) + len(_HIT_ID)
            yield line[:at] + mark + line[at + 2 :]


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with path.open("wb", buffering=1 << 20) as file:
        file.writelines(line + b"\n" for line in lines)
