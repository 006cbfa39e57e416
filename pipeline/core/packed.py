"""Records that lie in one buffer: a Python object is made of one only where somebody asks for it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple, overload

import numpy as np

from pipeline.core.numbers import Index


class Run(NamedTuple):
    """Records of one buffer: where each begins and ends in it, in bytes. Int64, contiguous."""

    buffer: bytes
    starts: Index
    ends: Index


class Packed(Sequence[bytes]):
    """Records of some runs, one after the other. Nobody changes it."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = tuple(runs)
        self._behind = list(accumulate(len(run.starts) for run in self.runs))

    def __len__(self) -> int:
        return self._behind[-1] if self._behind else 0

    def __iter__(self) -> Iterator[bytes]:
        for buffer, starts, ends in self.runs:
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                yield buffer[start:end]

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...

    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        places = range(len(self))[at]
        return self._record(places) if isinstance(places, int) else [self._record(place) for place in places]

    def _record(self, at: int) -> bytes:
        number = bisect_right(self._behind, at)
        buffer, starts, ends = self.runs[number]
        at -= self._behind[number]  # from the run's end
        return buffer[starts[at] : ends[at]]


def lines_by_search(text: bytes, most: int) -> Run:
    """The lines of a text, without their ends (LF), cut at ``most`` bytes; what is behind the last end is left out."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    return Run(text, starts, np.minimum(ends, starts + most))


def without_blank(run: Run) -> Run:
    """Only the lines in which there is more than white space."""
    buffer, starts, ends = run
    first = np.frombuffer(buffer, np.uint8)[starts]  # of an empty line, its end
    if first.min(initial=255) > ord(" "):
        return run
    is_text = first > ord(" ")
    for at in np.flatnonzero(~is_text).tolist():
        is_text[at] = bool(buffer[starts[at] : ends[at]].strip())
    return Run(buffer, starts[is_text], ends[is_text])


def joined(batches: Sequence[Sequence[bytes]]) -> Sequence[bytes]:
    """The records of them all, as a list unless all are packed."""
    if len(batches) == 1:
        return batches[0]
    packed = [batch for batch in batches if isinstance(batch, Packed)]
    if packed and len(packed) == len(batches):
        return Packed(chain.from_iterable(batch.runs for batch in packed))
    return list(chain.from_iterable(batches))


def gathered(batches: Iterable[Sequence[bytes]], least: int) -> Iterator[Sequence[bytes]]:
    """Batches joined to such of at least so many records; the last has what is left."""
    found: list[Sequence[bytes]] = []
    count = 0
    for batch in batches:
        found.append(batch)
        count += len(batch)
        if count >= least:
            yield joined(found)
            found, count = [], 0
    if count:
        yield joined(found)
