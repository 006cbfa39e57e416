"""The HTTP server: ``POST /v1/hits``, ``GET /v1/hit.gif``, ``/masir.js``, ``/healthz``, ``/readyz``.

A request is taken as a whole or not at all. 200: its hits are durable in the topic; the answer names those
that were refused (400 if all were), which are kept as dead letters. 408, 413, 429 and 503: nothing was taken;
after 429 and 503 the sender tries again once ``Retry-After`` seconds have passed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from importlib.resources import files

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.collector.body import TooLargeError, inflate, split
from pipeline.collector.limits import Limits
from pipeline.collector.pixel import GIF, hit_of
from pipeline.collector.publisher import GroupCommit, Publisher, Unavailable
from pipeline.collector.stamping import Intake, stamp, take_in

_SHUTDOWN_S = 10.0
_LINGER_S = 2.0  # a sender that is turned away in the middle of its body has this long to see why
# The collector reads no credentials, so any page may send. A wildcard does not cover Authorization.
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "86400",
}


def _is_ours(record: logging.LogRecord) -> bool:
    """False for bad HTTP: its sender is told, and could fill the log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_log = logging.getLogger(__name__)
_log.addFilter(_is_ours)


class Counts(msgspec.Struct):
    """Since the start of the process. ``received``: hits durable in the topic, ``refused`` ones included."""

    requests: int = 0
    received: int = 0
    refused: int = 0
    turned_away: int = 0  # requests of which nothing was taken


class _TurnedAwayError(Exception):
    """Nothing of the request is taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Collector:
    """One HTTP server in front of one publisher.

    ``now_ms``: wall clock, ms UTC. ``ready``: why the process cannot work yet; empty when it can.
    ``extra_routes``: of the caller, such as /metrics.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        now_ms: Callable[[], int],
        ready: Callable[[], list[str]] = list,
        limits: Limits | None = None,
        extra_routes: Sequence[web.AbstractRouteDef] = (),
    ) -> None:
        self.counts = Counts()
        self._publisher = publisher
        self._now_ms = now_ms
        self._ready = ready
        self._limits = limits or Limits()
        self._commit = GroupCommit(publisher, timeout_s=self._limits.publish_timeout_s)
        self._held_bytes = 0
        self._script = files("pipeline.collector").joinpath("masir.js").read_bytes()
        self._script_tag = f'"{blake2b(self._script, digest_size=8).hexdigest()}"'
        self._runner = web.AppRunner(
            self._application(extra_routes),
            access_log=None,
            logger=_log,
            auto_decompress=False,
            keepalive_timeout=self._limits.idle_timeout_s,
            max_line_size=self._limits.max_line_bytes,
            lingering_time=_LINGER_S,
            shutdown_timeout=_SHUTDOWN_S,
        )

    def _application(self, extra_routes: Sequence[web.AbstractRouteDef]) -> web.Application:
        app = web.Application(client_max_size=self._limits.max_body_bytes)
        app.add_routes(
            [
                web.post("/v1/hits", self._hits),
                web.get("/v1/hit.gif", self._pixel, allow_head=False),
                web.options("/v1/{rest:.*}", _preflight),
                web.get("/masir.js", self._tracker),
                web.get("/healthz", _health),
                web.get("/readyz", self._readiness),
                *extra_routes,
            ]
        )
        return app

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port (0 picks a free one). ``OSError`` if the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Answers the requests in hand, then closes."""
        await self._runner.cleanup()

    async def _hits(self, request: web.Request) -> web.Response:
        self.counts.requests += 1
        try:
            taken = await self._take_body(request)
        except _TurnedAwayError as error:
            return self._turn_away(error)
        accepted = len(taken.records) - len(taken.refused)
        status = 400 if taken.refused and not accepted else 200
        return _json(status, {"accepted": accepted, "refused": taken.refused})

    async def _pixel(self, request: web.Request) -> web.Response:
        self.counts.requests += 1
        headers = {"Cache-Control": "no-store", **_CORS}
        try:
            self._admit(0)
            taken = await self._publish(request, [hit_of(request.query.items())])
        except _TurnedAwayError as error:
            self.counts.turned_away += 1
            headers["Retry-After"] = str(self._limits.retry_after_s)
            return web.Response(status=error.status, body=GIF, content_type="image/gif", headers=headers)
        headers["Masir-Accepted"] = str(1 - len(taken.refused))
        headers["Masir-Refused"] = str(len(taken.refused))
        if taken.refused:
            headers["Masir-Reason"] = f"{taken.refused[0].reason} {taken.refused[0].field}".rstrip()
        return web.Response(body=GIF, content_type="image/gif", headers=headers)

    async def _take_body(self, request: web.Request) -> Intake:
        size = request.content_length
        if size is None:  # chunked: it may become as large as we allow
            size = self._limits.max_body_bytes if request.can_read_body else 0
        if size > self._limits.max_body_bytes:
            raise _TurnedAwayError(413, f"a body is at most {self._limits.max_body_bytes} bytes")
        self._admit(size)
        held = size
        self._held_bytes += held
        try:
            body = await self._read(request)
            try:
                plain = inflate(body, max_bytes=self._limits.max_body_bytes)
            except TooLargeError as error:
                raise _TurnedAwayError(413, str(error)) from None
            if plain is not body:
                self._admit(len(plain))
                held += len(plain)
                self._held_bytes += len(plain)
            hits = split(plain)
            if len(hits) > self._limits.max_hits_per_request:
                limit = self._limits.max_hits_per_request
                raise _TurnedAwayError(413, f"a request has at most {limit} hits, this has {len(hits)}")
            return await self._publish(request, hits)
        finally:
            self._held_bytes -= held

    async def _read(self, request: web.Request) -> bytes:
        try:
            if request.content.is_eof():  # all of it is here, as is the rule: no need of a timer
                return await request.read()
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await request.read()
        except TimeoutError:
            limit = self._limits.read_timeout_s
            raise _TurnedAwayError(408, f"the body did not arrive within {limit} seconds") from None
        except web.HTTPRequestEntityTooLarge:
            raise _TurnedAwayError(413, f"a body is at most {self._limits.max_body_bytes} bytes") from None

    def _admit(self, size: int) -> None:
        """Backpressure, before anything is read."""
        if self._held_bytes + size > self._limits.max_held_bytes:
            raise _TurnedAwayError(429, "too many requests are under way")
        if self._publisher.backlog() + self._commit.waiting >= self._limits.max_backlog:
            raise _TurnedAwayError(429, "hits arrive faster than they are processed")

    async def _publish(self, request: web.Request, hits: list[bytes]) -> Intake:
        headers = request.headers
        mark = stamp(
            self._now_ms(),
            user_agent=headers.get("User-Agent", ""),
            accept_language=headers.get("Accept-Language", ""),
        )
        taken = take_in(hits, mark)
        if not hits:
            return taken
        try:
            await self._commit.publish(taken.records)
        except Unavailable:
            raise _TurnedAwayError(503, "the topic does not take hits now") from None
        self.counts.received += len(taken.records)
        self.counts.refused += len(taken.refused)
        return taken

    def _turn_away(self, error: _TurnedAwayError) -> web.Response:
        self.counts.turned_away += 1
        answer = _json(error.status, {"accepted": 0, "refused": [], "message": str(error)})
        if error.status in (429, 503):
            answer.headers["Retry-After"] = str(self._limits.retry_after_s)
        else:
            answer.force_close()  # what is left of the body is not worth reading
        return answer

    async def _tracker(self, request: web.Request) -> web.Response:
        headers = {"ETag": self._script_tag, "Cache-Control": "public, max-age=3600", **_CORS}
        if request.headers.get("If-None-Match") == self._script_tag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=self._script, content_type="text/javascript", charset="utf-8", headers=headers
        )

    async def _readiness(self, _request: web.Request) -> web.Response:
        reasons = self._ready()
        return _json(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={**_CORS, **_PREFLIGHT})


def _json(status: int, answer: object) -> web.Response:
    body = msgspec.json.encode(answer)
    return web.Response(status=status, body=body, content_type="application/json", headers=_CORS)
