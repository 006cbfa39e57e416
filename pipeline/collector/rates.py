"""Token buckets by name, in bounded memory. Pure: the time is handed in, ms.

A bucket holds what ``per_second`` gives in ``burst_seconds``. A name that has not been heard of has a full bucket,
so a full one need not be remembered: when there are too many, the full ones go, then the longest unused.
"""

from collections import OrderedDict

MAX_NAMES = 50_000  # some 200 bytes each


class Rates:
    """``per_second`` 0: no limit."""

    def __init__(
        self, per_second: float, *, burst_seconds: float = 10.0, most_names: int = MAX_NAMES
    ) -> None:
        self._rate = per_second / 1000
        self._full = per_second * burst_seconds
        self._most = most_names
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()  # tokens at a time

    @property
    def names(self) -> int:
        """How many are remembered."""
        return len(self._buckets)

    @property
    def is_limited(self) -> bool:
        """Is there a limit at all?"""
        return self._rate > 0

    def take(self, name: str, tokens: int, now_ms: int) -> float:
        """0.0 and the tokens are taken; else nothing is, and so many seconds later they will be there.

        Of more tokens than a bucket holds at once, as many as it holds are asked for, and the rest is owed.
        """
        if not self._rate or not name:
            return 0.0
        held, since_ms = self._buckets.get(name, (self._full, now_ms))
        held = min(self._full, held + max(0, now_ms - since_ms) * self._rate)
        wanted = min(float(tokens), self._full)
        if held < wanted:
            return (wanted - held) / self._rate / 1000
        self._buckets[name] = held - tokens, now_ms
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._forget(now_ms)
        return 0.0

    def _forget(self, now_ms: int) -> None:
        """Buckets are in the order of their use, and one unused for long enough is full."""
        for name, (held, since_ms) in list(self._buckets.items())[: self._most // 10]:
            if held + (now_ms - since_ms) * self._rate >= self._full:
                del self._buckets[name]
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
