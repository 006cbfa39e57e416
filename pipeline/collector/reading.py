"""Bodies of requests, within the limits: what is too much is turned away before it is read, as far as it can be told.

A body in hand counts as held until the hits in it are durable, twice if it had to be inflated.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from pipeline.collector.body import TooLargeError, inflate
from pipeline.collector.limits import Limits


class TurnedAwayError(Exception):
    """Nothing of the request is taken. ``retry_after_s``: when it makes sense to try again, if that is known."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Reader:
    """``backlog``: hits in the topic that nobody has consumed, and those on their way there."""

    def __init__(self, limits: Limits, backlog: Callable[[], int]) -> None:
        self._limits = limits
        self._backlog = backlog
        self._held_bytes = 0

    @asynccontextmanager
    async def body(self, request: web.Request) -> AsyncIterator[bytes]:
        """The body, inflated; held as long as the block runs. :class:`TurnedAwayError`: 408, 413, 429."""
        limit = self._limits.max_body_bytes
        size = request.content_length
        if size is None:  # chunked: it may become as large as we allow
            size = limit if request.can_read_body else 0
        if size > limit:
            raise TurnedAwayError(413, f"a body is at most {limit} bytes")
        self.admit(size)
        held = size
        self._held_bytes += held
        try:
            sent = await self._read(request)
            try:
                plain = inflate(sent, max_bytes=limit)
            except TooLargeError as error:
                raise TurnedAwayError(413, str(error)) from None
            if plain is not sent:
                self.admit(len(plain))
                held += len(plain)
                self._held_bytes += len(plain)
            yield plain
        finally:
            self._held_bytes -= held

    def admit(self, size: int) -> None:
        """Backpressure, before anything is read."""
        if self._held_bytes + size > self._limits.max_held_bytes:
            raise TurnedAwayError(429, "too many requests are under way")
        if self._backlog() >= self._limits.max_backlog:
            raise TurnedAwayError(429, "hits arrive faster than they are processed")

    async def _read(self, request: web.Request) -> bytes:
        try:
            if request.content.is_eof():  # all of it is here, as is the rule: no need of a timer
                return await request.read()
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await request.read()
        except TimeoutError:
            limit = self._limits.read_timeout_s
            raise TurnedAwayError(408, f"the body did not arrive within {limit} seconds") from None
        except web.HTTPRequestEntityTooLarge:
            raise TurnedAwayError(413, f"a body is at most {self._limits.max_body_bytes} bytes") from None
