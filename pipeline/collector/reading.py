"""Bodies of requests, within the limits: what is too much is turned away before it is read, as far as it can be told.

The bytes of a body count as held from their arrival until the hits in them are durable, twice if they had to be
inflated.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, web

from pipeline.collector.body import TooLargeError, TooManyError, inflate
from pipeline.collector.limits import Limits


class TurnedAwayError(Exception):
    """Nothing of the request is taken. ``retry_after_s``: when it makes sense to try again, if that is known."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


async def go_on(request: web.Request) -> None:
    """Answers ``Expect: 100-continue`` (RFC 9110, 10.1.1). aiohttp's own way repeats what else there is, and breaks on
    odd bytes. HTTP/1.0 knows no such answer and would take it for the last.
    """
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed
    if request.version < HttpVersion11:
        return
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # nothing of the answer itself


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
        if (request.content_length or 0) > limit:
            raise self._too_large()
        self.admit()
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if self._held_bytes + size > self._limits.max_held_bytes:
                raise TurnedAwayError(429, "too many requests are under way")
            held += size
            self._held_bytes += size

        try:
            sent = await self._read(request, hold)
            plain = inflate(sent, max_bytes=limit)
            if plain is not sent:
                hold(len(plain))
            yield plain
        except (TooLargeError, TooManyError) as error:
            raise TurnedAwayError(413, str(error)) from None
        finally:
            self._held_bytes -= held

    def admit(self) -> None:
        """Backpressure, before anything is read."""
        if self._backlog() >= self._limits.max_backlog:
            raise TurnedAwayError(429, "hits arrive faster than they are processed")

    async def _read(self, request: web.Request, hold: Callable[[int], None]) -> bytes:
        if request.content.is_eof():  # all of it is here, as is the rule: no need of a timer
            return await self._pieces(request, hold)
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await self._pieces(request, hold)
        except TimeoutError:
            limit = self._limits.read_timeout_s
            raise TurnedAwayError(408, f"the body did not arrive within {limit} seconds") from None

    async def _pieces(self, request: web.Request, hold: Callable[[int], None]) -> bytes:
        """What a sender has announced costs nothing, neither him nor us: counted is what has arrived."""
        body = bytearray()
        while piece := await request.content.readany():
            if len(body) + len(piece) > self._limits.max_body_bytes:
                raise self._too_large()
            hold(len(piece))
            body += piece
        return bytes(body)

    def _too_large(self) -> TurnedAwayError:
        return TurnedAwayError(413, f"a body is at most {self._limits.max_body_bytes} bytes")
