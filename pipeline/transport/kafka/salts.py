"""Salts for the names of visitors without ids, the same for all collectors: random, in the compacted topic ``salts``.

The next day's and month's are there an hour before they begin; of several collectors that make one at a time the last
holds. When one has ended, its key is. A record every few minutes lets the broker close its files, and so compact them:
what has ended is gone from its disks about three hours later, and from memory at once.

While the broker is away for so long that a salt is missing, each collector uses one of its own.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError

from pipeline.transport.kafka.followed import Followed, Record
from pipeline.transport.kafka.names import SALTS, Names

AHEAD_MS = 3_600_000
LOOK_SECONDS = 600.0
TICK = "tick"
DAY_MS = 86_400_000
_LENGTHS = (("day", len("2026-11-22")), ("month", len("2026-11")))
_log = logging.getLogger(__name__)


class SharedSalts(Followed):
    """See :class:`pipeline.collector.salts.Salts`."""

    def __init__(self, names: Names, options: dict[str, Any], *, now_ms: Callable[[], int]) -> None:
        super().__init__(names.topic(SALTS), options, self._learn)
        self._now_ms = now_ms
        self._known: dict[str, str] = {}  # "day 2026-11-22" -> salt
        self._own: dict[str, str] = {}
        self._periods: tuple[str, ...] = ()
        self._until_ms = 0
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Today's are there when it returns. :class:`KafkaError`: there is no cluster."""
        await super().start()
        await self.provide()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Close the connections."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await super().stop()

    def at(self, now_ms: int) -> tuple[str, str]:
        """(salt of the day, salt of the month)."""
        if now_ms >= self._until_ms:
            self._periods = tuple(_periods(now_ms))
            self._until_ms = (now_ms // DAY_MS + 1) * DAY_MS
            self._own = {name: self._own.get(name) or secrets.token_hex(16) for name in self._periods}
        day, month = (self._known.get(name) or self._own[name] for name in self._periods)
        return day, month

    async def provide(self) -> None:
        """Make what is missing, end what has ended."""
        now_ms = self._now_ms()
        now, soon = set(_periods(now_ms)), set(_periods(now_ms + AHEAD_MS))
        records: list[Record] = [
            (name.encode(), secrets.token_hex(16).encode())
            for name in sorted((now | soon) - self._known.keys())
        ]
        records += [(name.encode(), None) for name in sorted(self._known) if name not in now | soon]
        await self.add([*records, (TICK.encode(), str(now_ms).encode())])
        await self.catch_up()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.provide()
            except KafkaError as error:
                _log.warning("the salts of visitors cannot be shared, trying again: %r", error)

    def _learn(self, record: Any) -> None:
        name = record.key.decode()
        if record.value is None:
            self._known.pop(name, None)
        elif name != TICK:
            self._known[name] = record.value.decode()


def _periods(now_ms: int) -> Iterator[str]:
    today = datetime.fromtimestamp(now_ms / 1_000, UTC).date().isoformat()
    return (f"{kind} {today[:length]}" for kind, length in _LENGTHS)
