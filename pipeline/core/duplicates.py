"""Which hit_ids were seen: an 8-byte hash of visitor and id, and the event time, in sorted arrays.

The same id of the same visitor within ``window_ms`` of event time is the same hit (inclusive). New ids make a run;
runs of like size are merged (as in a log-structured merge tree), so that a batch is looked up in a few searches.
Two different ids share a hash with a probability of 2**-64.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.coded import Coded

Digests = NDArray[np.uint64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def digests_of(keys: Coded, hit_ids: Sequence[str]) -> Digests:
    """The hashes of (visitor's key, hit_id)."""
    joined = b"".join(
        [
            blake2b(f"{key}\x1f{hit_id}".encode(), digest_size=8).digest()
            for key, hit_id in zip(keys[:], hit_ids, strict=True)
        ]
    )
    return np.frombuffer(joined, np.uint64)


class _Run(NamedTuple):
    """``digests`` ascending."""

    digests: Digests
    times: Times


class SeenIds:
    """The ids of one partition."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return sum(len(run.digests) for run in self._runs)

    def take(self, digests: Digests, times: Times, window_ms: int, since: Times) -> Mask:
        """Which of these hits, in order of arrival, are known? The others are known from now on.

        ``since``: per hit, the event time before which an id is forgotten.
        """
        order = np.argsort(digests)
        batch = _Run(digests[order], times[order])
        is_there = np.zeros(len(digests), np.bool_)
        for run in self._runs:
            is_there |= _within(run, *batch, window_ms, since[order])
        known = np.empty(len(digests), np.bool_)
        known[order] = is_there
        repeated = batch.digests[1:][batch.digests[1:] == batch.digests[:-1]]
        if len(repeated):
            self._among_themselves(known, digests, times, window_ms, since, repeated)
        is_new = ~known[order]
        self._put(_Run(batch.digests[is_new], batch.times[is_new]))
        return known

    def add(self, digests: Digests, times: Times) -> None:
        """Remember what is known to be new."""
        order = np.argsort(digests)
        self._put(_Run(digests[order], times[order]))

    def _put(self, run: _Run) -> None:
        if len(run.digests):
            self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2].digests) <= 2 * len(self._runs[-1].digests):
            self._runs[-2:] = [_merged(*self._runs[-2:])]

    def forget(self, before: int) -> None:
        """Drop the ids whose event time lies before ``before``, ms."""
        kept = [_Run(run.digests[run.times >= before], run.times[run.times >= before]) for run in self._runs]
        self._runs = [run for run in kept if len(run.digests)]

    @staticmethod
    def _among_themselves(
        known: Mask, digests: Digests, times: Times, window_ms: int, since: Times, repeated: Digests
    ) -> None:
        """Ids that come more than once in a batch: one after the other, in the order of arrival."""
        taken: dict[int, list[int]] = {}
        for at in np.flatnonzero(np.isin(digests, repeated) & ~known).tolist():
            earlier = taken.setdefault(int(digests[at]), [])
            if any(abs(t - times[at]) <= window_ms and t >= since[at] for t in earlier):
                known[at] = True
            else:
                earlier.append(int(times[at]))


def _within(run: _Run, digests: Digests, times: Times, window_ms: int, since: Times) -> Mask:
    found = np.zeros(len(digests), np.bool_)
    asking = np.arange(len(digests))
    at = np.searchsorted(run.digests, digests)
    while len(asking):  # an id may have been seen several times, further apart than the window
        inside = at < len(run.digests)
        asking, at = asking[inside], at[inside]
        same = run.digests[at] == digests[asking]
        asking, at = asking[same], at[same]
        near = np.abs(run.times[at] - times[asking]) <= window_ms
        found[asking] |= near & (run.times[at] >= since[asking])
        at = at + 1
    return found


def _merged(one: _Run, other: _Run) -> _Run:
    digests = np.concatenate((one.digests, other.digests))
    order = np.argsort(digests, kind="stable")
    return _Run(digests[order], np.concatenate((one.times, other.times))[order])
