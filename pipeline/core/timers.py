"""Timers by event time: one per key, to the second, fired by the watermark. Derived from the state, never stored."""

import heapq
from collections.abc import Iterator

_BUCKET_MS = 1_000


class Timers:
    """At most one timer a key: the earliest asked for. It may fire up to a second early: ask again then."""

    def __init__(self) -> None:
        self._bucket_of: dict[str, int] = {}
        self._keys: dict[int, list[str]] = {}
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._bucket_of)

    def add(self, key: str, due: int | None) -> None:
        """Fire ``key`` once the watermark reaches ``due`` (ms); None asks for nothing."""
        if due is None:
            return
        bucket = due // _BUCKET_MS
        earlier = self._bucket_of.get(key)
        if earlier is not None and earlier <= bucket:
            return
        keys = self._keys.get(bucket)
        if keys is None:
            keys = self._keys[bucket] = []
            heapq.heappush(self._order, bucket)
        keys.append(key)
        self._bucket_of[key] = bucket

    def pop(self, watermark: int) -> list[str]:
        """The keys whose timer the watermark has reached; their timers are gone."""
        return list(self._popped(watermark // _BUCKET_MS))

    def _popped(self, last: int) -> Iterator[str]:
        while self._order and self._order[0] <= last:
            bucket = heapq.heappop(self._order)
            for key in self._keys.pop(bucket):
                if self._bucket_of.get(key) == bucket:
                    del self._bucket_of[key]
                    yield key
