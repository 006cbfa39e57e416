"""A spool on the local disk, for the time that the topic is away: hits are acknowledged once they are durable in it.

    publish -> the topic, if it takes them soon and nothing waits; else -> the spool -> the topic, in order, later

One SQLite file per collector process, fsynced at each commit, so it survives ``kill -9`` and is drained by the next
process that opens it. A batch leaves it when the topic has it: a crash between the two brings the batch twice, which
``hit_id`` makes harmless. What would make it larger than its bound is :class:`Unavailable`.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.collector.publisher import Publisher, Record, Unavailable

PATIENCE_SECONDS = 1.0  # for a topic that does not answer, before the first hits go to the spool
RETRY_SECONDS = 0.5
_DDL = "create table if not exists waiting (number integer primary key, hits integer, payload blob)"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode
_log = logging.getLogger(__name__)


class Spool:
    """Batches in the order in which they came. ``most_bytes``: of hits that wait."""

    def __init__(self, path: Path, *, most_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute("pragma secure_delete = on")
        self._db.execute(_DDL)
        self._most_bytes = most_bytes
        held = self._db.execute("select total(length(payload)), total(hits) from waiting").fetchone()
        self.bytes, self.hits = map(int, held)

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        self._db.close()

    def append(self, records: Sequence[Record]) -> None:
        """Durable when it returns. :class:`Unavailable`: full, or the disk does not take it."""
        payload = _encode(list(records))
        if self.bytes + len(payload) > self._most_bytes:
            raise Unavailable("the topic is away and the spool is full")
        try:
            self._db.execute("insert into waiting (hits, payload) values (?, ?)", (len(records), payload))
        except sqlite3.Error as error:
            raise Unavailable(f"the topic is away and the spool cannot be written: {error}") from error
        self.bytes += len(payload)
        self.hits += len(records)

    def first(self) -> tuple[int, list[Record]] | None:
        """(number, records) of the oldest batch."""
        row = self._db.execute("select number, payload from waiting order by number limit 1").fetchone()
        return (row[0], _decode(row[1])) if row else None

    def remove(self, number: int) -> None:
        """The topic has it."""
        row = self._db.execute(
            "select length(payload), hits from waiting where number = ?", (number,)
        ).fetchone()
        self._db.execute("delete from waiting where number = ?", (number,))
        if row is not None:
            self.bytes -= row[0]
            self.hits -= row[1]
        if not self.hits:
            self._db.execute("pragma wal_checkpoint(truncate)")


class SpooledPublisher:
    """A publisher in front of another. ``start`` and ``stop`` it: a task drains the spool."""

    def __init__(self, inner: Publisher, spool: Spool, *, patience_s: float = PATIENCE_SECONDS) -> None:
        self._inner = inner
        self._spool = spool
        self._patience_s = patience_s
        self._known_backlog = 0
        self._draining: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Hits in the spool."""
        return self._spool.hits

    def start(self) -> None:
        """Begin to drain what an earlier process has left."""
        self._draining = asyncio.create_task(self._drain())

    async def stop(self) -> None:
        """Whatever still waits is drained by the next process."""
        if self._draining is not None:
            self._draining.cancel()
            with suppress(asyncio.CancelledError):
                await self._draining
        self._spool.close()

    def publish(self, records: list[Record]) -> Awaitable[None]:
        """See :class:`Publisher`. One call at a time, as GroupCommit makes them."""
        return self._publish(records)

    def backlog(self) -> int:
        """What the topic said last when it is away, and what waits here."""
        with suppress(Unavailable):
            self._known_backlog = self._inner.backlog()
        return self._known_backlog + self._spool.hits

    async def _publish(self, records: list[Record]) -> None:
        if not self._spool.hits:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._inner.publish(records)
                return
            except (TimeoutError, Unavailable) as error:
                _log.warning("the topic is away, hits go to the spool: %s", error)
        self._spool.append(records)
        self._filled.set()

    async def _drain(self) -> None:
        """For ever, whatever happens: what waits has been acknowledged."""
        while True:
            try:
                await self._move_first()
            except (TimeoutError, Unavailable):
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                _log.exception("what waits in the spool could not be moved, trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _move_first(self) -> None:
        batch = self._spool.first()
        if batch is None:
            self._filled.clear()
            await self._filled.wait()
            return
        number, records = batch
        async with asyncio.timeout(max(self._patience_s, RETRY_SECONDS)):
            await self._inner.publish(records)
        self._spool.remove(number)
