"""The HTTP server: ``POST /v1/hits``, ``GET /v1/hit.gif``, the paths of other trackers (``protocols``), ``/masir.js``,
``/healthz``, ``/readyz``.

A request is taken as a whole or not at all. 200: its hits are durable in the topic; the answer names those
that were refused (400 if all were), which are kept as dead letters. 408, 413, 429 and 503: nothing was taken;
after 429 and 503 the sender tries again once ``Retry-After`` seconds have passed.
"""

import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from importlib.resources import files

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.collector.body import TooManyError, split
from pipeline.collector.entrance import Entrance
from pipeline.collector.limits import Limits
from pipeline.collector.pixel import GIF, hit_of
from pipeline.collector.protocols.base import Gate, Request, Route
from pipeline.collector.protocols.table import listening, parse
from pipeline.collector.publisher import GroupCommit, Publisher, Unavailable
from pipeline.collector.reading import Reader, TurnedAwayError, go_on
from pipeline.collector.salts import Salts, SaltSource
from pipeline.collector.stamping import Refused, Taken, stamp, take_in
from pipeline.collector.tracking import admit, cors, preflight, request_of, response_of

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
    """False for bad HTTP and for senders who hang up: they could fill the log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


_log = logging.getLogger(__name__)
_log.addFilter(_is_ours)


class Counts(msgspec.Struct):
    """Since the start of the process. ``received``: hits durable in the topic, ``refused`` ones included."""

    requests: int = 0
    received: int = 0
    refused: int = 0
    turned_away: int = 0  # requests of which nothing was taken
    barred: int = 0  # hits that the gate refused: unknown site or key


class Collector:
    """One HTTP server in front of one publisher.

    ``now_ms``: wall clock, ms UTC. ``ready``: why the process cannot work yet; empty when it can.
    ``extra_routes``: of the caller, such as /metrics. ``entrance``: who may send, and how much.
    ``gate``: in place of the entrance's, which site an event of a tracker belongs to. ``salts``: for visitors
    without ids.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        now_ms: Callable[[], int],
        ready: Callable[[], list[str]] = list,
        limits: Limits | None = None,
        extra_routes: Sequence[web.AbstractRouteDef] = (),
        entrance: Entrance | None = None,
        gate: Gate | None = None,
        salts: SaltSource | None = None,
    ) -> None:
        self.counts = Counts()
        self._now_ms = now_ms
        self._ready = ready
        self._limits = limits or Limits()
        self._entrance = entrance or Entrance()
        self._gate: Gate = gate or self._entrance.gate
        self._salts = salts or Salts()
        self._commit = GroupCommit(publisher, timeout_s=self._limits.publish_timeout_s)
        self._reader = Reader(self._limits, lambda: publisher.backlog() + self._commit.waiting)
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
        routes = [
            web.post("/v1/hits", self._hits),
            web.get("/v1/hit.gif", self._pixel, allow_head=False),
            web.options("/v1/{rest:hits|hit.gif}", _preflight),
            web.get("/masir.js", self._tracker),
            web.get("/healthz", _health),
            web.get("/readyz", self._readiness),
        ]
        last = web.route("*", "/{rest:.*}", self._tracked)
        for route in (*routes, last):
            route.kwargs["expect_handler"] = go_on
        app.add_routes([*routes, *extra_routes, last])
        return app

    async def start(self, host: str, port: int, *, shared: bool = False) -> int:
        """Listens, and returns the port (0 picks a free one). ``OSError`` if the address is taken.

        ``shared``: several processes may listen there, and the kernel spreads the connections.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_port=shared or None).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Answers the requests in hand, then closes."""
        await self._runner.cleanup()

    async def _hits(self, request: web.Request) -> web.Response:
        self.counts.requests += 1
        try:
            self._knock(request)
            most = self._limits.max_hits_per_request
            async with self._reader.body(request) as body:
                accepted, refused = await self._own(request, split(body, at_most=most))
        except TurnedAwayError as error:
            return self._turn_away(error)
        status = 400 if refused and not accepted else 200
        return _json(status, {"accepted": accepted, "refused": refused})

    async def _pixel(self, request: web.Request) -> web.Response:
        self.counts.requests += 1
        headers = {"Cache-Control": "no-store", **_CORS}
        try:
            self._knock(request)
            self._reader.admit()
            accepted, refused = await self._own(request, [hit_of(request.query.items())])
        except TurnedAwayError as error:
            self.counts.turned_away += 1
            headers["Retry-After"] = self._retry_after(error)
            return web.Response(status=error.status, body=GIF, content_type="image/gif", headers=headers)
        headers["Masir-Accepted"], headers["Masir-Refused"] = str(accepted), str(len(refused))
        if refused:
            headers["Masir-Reason"] = f"{refused[0].reason} {refused[0].field}".rstrip()
        return web.Response(body=GIF, content_type="image/gif", headers=headers)

    async def _tracked(self, request: web.Request) -> web.Response:
        """What a tracker sent, by the first protocol that knows it."""
        routes = listening(request.path)
        headers = request.headers
        if routes and request.method == "OPTIONS" and "Access-Control-Request-Method" in headers:
            return preflight(headers)
        if not any(request.method in route.methods for route in routes):
            known = {resource.canonical for resource in request.app.router.resources()}
            status = 405 if routes or request.path in known else 404
            return web.Response(status=status, headers=cors(headers))
        self.counts.requests += 1
        try:
            self._knock(request)
            async with self._reader.body(request) as body:
                return await self._take_events(request, routes, body)
        except TurnedAwayError as error:
            answer = self._turn_away(error)
            if urgent := self._urgent(request, routes):
                return urgent
            answer.headers.update(cors(headers))
            if error.status == 429:
                answer.set_status(routes[0].busy_status)
            return answer

    async def _take_events(
        self, request: web.Request, routes: tuple[Route, ...], body: bytes
    ) -> web.Response:
        asked = self._asked(request, body)
        found = parse(routes, asked)
        if found is None:
            return web.Response(status=404, headers=cors(request.headers))
        route, parsed = found
        if parsed.rejected:
            self.counts.turned_away += 1
            return response_of(parsed.answered([]), request.headers)
        admitted = admit(route.protocol, asked, asked.listed(parsed.events), self._gate)
        self.counts.barred += len(admitted.barred)
        taken = await self._publish(request, admitted.hits)
        return response_of(parsed.answered(admitted.verdicts(taken.refused)), request.headers)

    def _urgent(self, request: web.Request, routes: tuple[Route, ...]) -> web.Response | None:
        """What a person waits for, though the hit could not be taken."""
        if request.method not in ("GET", "HEAD"):
            return None
        try:
            found = parse(routes, self._asked(request, b""))
        except TooManyError:
            return None
        if found is None or not found[1].is_urgent:
            return None
        return response_of(found[1].answered([]), request.headers)

    def _knock(self, request: web.Request) -> None:
        self._entrance.knock(self._entrance.sender(request), 1, self._now_ms())

    def _asked(self, request: web.Request, body: bytes) -> Request:
        now_ms = self._now_ms()
        return request_of(
            request,
            body,
            ip=self._entrance.sender(request),
            received_ms=now_ms,
            salts=self._salts.at(now_ms),
            limits=self._limits,
            sites=self._entrance.gate,
        )

    async def _own(self, request: web.Request, hits: list[bytes]) -> tuple[int, list[Refused]]:
        """How many hits of our own form were taken, and which were not, by their places in the request."""
        admitted = self._entrance.own(self._asked(request, b""), hits)
        self.counts.barred += len(admitted.barred)
        taken = await self._publish(request, admitted.hits)
        return len(taken.records) - len(taken.refused), admitted.refused(taken.refused)

    async def _publish(self, request: web.Request, hits: list[bytes]) -> Taken:
        headers = request.headers
        mark = stamp(
            self._now_ms(),
            user_agent=headers.get("User-Agent", ""),
            accept_language=headers.get("Accept-Language", ""),
        )
        taken = take_in(hits, mark)
        if not hits:
            return taken
        self._entrance.knock(self._entrance.sender(request), len(hits) - 1, self._now_ms())
        self._entrance.count(taken.records, self._now_ms())
        try:
            await self._commit.publish(taken.records)
        except Unavailable:
            raise TurnedAwayError(503, "the topic does not take hits now") from None
        self.counts.received += len(taken.records)
        self.counts.refused += len(taken.refused)
        return taken

    def _turn_away(self, error: TurnedAwayError) -> web.Response:
        self.counts.turned_away += 1
        answer = _json(error.status, {"accepted": 0, "refused": [], "message": str(error)})
        if error.status in (429, 503):
            answer.headers["Retry-After"] = self._retry_after(error)
        else:
            answer.force_close()  # what is left of the body is not worth reading
        return answer

    def _retry_after(self, error: TurnedAwayError) -> str:
        return str(error.retry_after_s or self._limits.retry_after_s)

    async def _tracker(self, request: web.Request) -> web.Response:
        headers = {"ETag": self._script_tag, "Cache-Control": "public, max-age=3600", **_CORS}
        if request.headers.get("If-None-Match") == self._script_tag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=self._script, content_type="text/javascript", charset="utf-8", headers=headers
        )

    async def _readiness(self, _request: web.Request) -> web.Response:
        reasons = [*self._ready()]
        if self._commit.failure:
            reasons.append(f"the topic does not take hits: {self._commit.failure}")
        return _json(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={**_CORS, **_PREFLIGHT})


def _json(status: int, answer: object) -> web.Response:
    body = msgspec.json.encode(answer)
    return web.Response(status=status, body=body, content_type="application/json", headers=_CORS)
