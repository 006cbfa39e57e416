"""Raw hits in the order of a file -> the same in event-time order, with hits of the same ms as they came.

A hit whose time cannot be read stays behind the one before it. Memory: ``RUN_HITS`` hits (about 250 MB of
400-byte hits); more than that are sorted in runs on disk, in the system's temporary directory, and merged.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.sources.times import to_ms

RUN_HITS = 500_000

_Timed = tuple[int, int, bytes]  # time, number in the file, hit


class Ordered(NamedTuple):
    """``hits``: (event time in ms, hit). ``first_ms``, ``last_ms``: 0 when no hit has a time."""

    hits: Iterator[tuple[int, bytes]]
    total: int
    first_ms: int
    last_ms: int


class _Times(msgspec.Struct):
    time: int | datetime | None = None
    received_time: int | datetime | None = None


_decode_times = msgspec.json.Decoder(_Times).decode


def time_of(raw: bytes) -> int | None:
    """Event time of a hit: ``time``, else ``received_time``; None when there is neither."""
    try:
        times = _decode_times(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    time = times.received_time if times.time is None else times.time
    return to_ms(time) if isinstance(time, datetime) else time


@contextmanager
def in_event_time_order(raws: Iterable[bytes], *, run_hits: int = RUN_HITS) -> Iterator[Ordered]:
    """Reads all of ``raws``; what is given can be taken once, within the ``with``."""
    timed = _timed(raws)
    with ExitStack() as stack:
        run = sorted(islice(timed, run_hits))
        runs: list[Iterator[_Timed]] = [iter(run)]
        count, first, last = len(run), *_ends(run)
        if count == run_hits:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="masir-replay-")))
            while run:
                path = folder / str(len(runs))
                _write(path, run)
                runs.append(_lines(path))
                run = sorted(islice(timed, run_hits))
                count += len(run)
                if run:
                    first, last = min(first, run[0][0]), max(last, run[-1][0])
            del runs[0]
        yield Ordered(((time, raw) for time, _, raw in merge(*runs)), count, first, last)


def _ends(run: list[_Timed]) -> tuple[int, int]:
    return (run[0][0], run[-1][0]) if run else (0, 0)


def _timed(raws: Iterable[bytes]) -> Iterator[_Timed]:
    before = 0
    for number, raw in enumerate(raws):
        time = time_of(raw)
        before = before if time is None else time
        yield before, number, raw


def _write(path: Path, run: list[_Timed]) -> None:
    with path.open("wb") as file:
        file.writelines(b"%d %d %b\n" % one for one in run)


def _lines(path: Path) -> Iterator[_Timed]:
    with path.open("rb") as file:
        for line in file:
            time, number, raw = line.split(b" ", 2)
            yield int(time), int(number), raw[:-1]
