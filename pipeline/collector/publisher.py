"""The collector's way to the topic ``hits``, and the group commit in front of it.

Requests of one event-loop turn share one publish, and those that arrive while it is under way share the next.
A publish either makes all of its records durable or fails for all of its requests.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol

Record = tuple[bytes, bytes]  # key, value

_FRESH_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Unavailable(Exception):  # noqa: N818  (it is the state of the topic)
    """The topic cannot take records now. The sender tries again later."""


class Publisher(Protocol):
    """Where the records go."""

    def publish(self, records: list[Record]) -> Awaitable[None]:
        """Resolves when the records are durable, in this order. :class:`Unavailable`: none of them is.

        Cancelled when it takes too long: the senders are told to try again; ``hit_id`` makes that harmless.
        """

    def backlog(self) -> int:
        """Hits in the topic that its slowest reader has not consumed."""


class GroupCommit:
    """One publish at a time, of at most ``timeout_s`` seconds."""

    def __init__(self, publisher: Publisher, *, timeout_s: float) -> None:
        self._publisher = publisher
        self._timeout_s = timeout_s
        self._records: list[Record] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._flush: asyncio.Task[None] | None = None
        self._failure = ""
        self._failed_at = 0.0

    @property
    def failure(self) -> str:
        """Why the last publish failed, if that was a moment ago: later it may be over, and only hits can tell."""
        is_fresh = asyncio.get_running_loop().time() - self._failed_at < _FRESH_SECONDS
        return self._failure if is_fresh else ""

    @property
    def waiting(self) -> int:
        """Records not yet handed to the publisher."""
        return len(self._records)

    async def publish(self, records: list[Record]) -> None:
        """Returns when the records are durable. :class:`Unavailable`: they are not known to be."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._records += records
        self._waiters.append(done)
        if self._flush is None:
            self._flush = asyncio.create_task(self._flush_all())
        await done

    async def _flush_all(self) -> None:
        await asyncio.sleep(0)  # the other requests of this turn come along
        while self._records:
            records, self._records = self._records, []
            waiters, self._waiters = self._waiters, []
            error = await self._try(records)
            self._failure = str(error) if error else ""
            self._failed_at = asyncio.get_running_loop().time()
            for waiter in waiters:
                if waiter.done():  # the server is stopping and has cancelled its request
                    continue
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error)
        self._flush = None

    async def _try(self, records: list[Record]) -> Unavailable | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._publisher.publish(records)
        except Unavailable as error:
            return error
        except TimeoutError:
            return Unavailable(f"no answer within {self._timeout_s} seconds")
        except Exception as error:
            _log.exception("publishing %d hits failed", len(records))
            return Unavailable(str(error))
        return None
