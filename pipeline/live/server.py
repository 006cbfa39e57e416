"""The page's side of HTTP: the page at ``/``, its files, and below ``/live/`` what it asks for.

Data only for those whom the guard lets in: 401 asks for the token, 403 says that none is set. 400: a parameter
is wrong; 503: the store is away, or too many look. All comes from here; the policy in the headers allows no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Final

import msgspec
from aiohttp import web

from pipeline.core.rules import Model
from pipeline.live.about import about
from pipeline.live.archive import Archive
from pipeline.live.files import File, read_files
from pipeline.live.guard import COOKIE, Guard, Verdict
from pipeline.live.hub import Hub
from pipeline.live.questions import LISTS
from pipeline.live.snapshot import Snapshot, journeys
from pipeline.live.vitals import Rate, Vitals
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.errors import StoreError

MOST_VIEWERS = 100
WRONG_TOKEN_SECONDS = 0.5  # so long waits its answer
_MOST_NAME = 200  # characters of a site or person
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PRIVATE: Final = _HEADERS | {"Cache-Control": "no-store"}
_ERRORS: Final = {Verdict.TOKEN_WANTED: 401, Verdict.CLOSED: 403}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LivePage:
    """``listen``: HOST:PORT of its server. ``open_reader``: a read-only connection. ``away``: what hops wait for."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        models: Iterable[Model],
        *,
        listen: str,
        version: str,
        open_reader: Callable[[], Client],
        away: Mapping[str, str],
        now_ms: Callable[[], int],
    ) -> None:
        self._pane_ms = settings.pane_ms
        self._guard = Guard(settings.page_token, listen.rpartition(":")[0])
        self._metrics = metrics
        self._version = version
        self._hits_at = settings.listen if settings.metrics_listen else ""
        self.tell(models)
        self._vitals = Vitals(metrics)
        self._away = away
        self._now_ms = now_ms
        self._archive = Archive(open_reader)
        self._files = read_files()
        self._hub = Hub(self._looker, self._ask)

    def tell(self, models: Iterable[Model]) -> None:
        """These stage models hold; who looks already sees it when the page is loaded again."""
        self._about = msgspec.json.encode(about(models, self._version, self._hits_at))

    def routes(self) -> list[web.AbstractRouteDef]:
        """For the server that shows the page."""
        return [
            web.get("/", self._page),
            web.post("/live/login", self._login),
            web.get("/live/about", self._open(self._say_about)),
            web.get("/live/events", self._open(self._events)),
            web.get("/live/persons", self._open(self._persons)),
            web.get("/live/person", self._open(self._person)),
            web.get("/live/static/{file}", self._static),
        ]

    async def close(self) -> None:
        """Before the server stops: it would wait for those who look."""
        await self._hub.close()
        await self._archive.close()

    def _judge(self, request: web.Request) -> Verdict:
        return self._guard.judge(request.headers, request.cookies, request.remote or "")

    def _open(self, handler: Handler) -> Handler:
        """The handler for those who may look."""

        async def checked(request: web.Request) -> web.StreamResponse:
            verdict = self._judge(request)
            if verdict is not Verdict.OPEN:
                return _json(msgspec.json.encode({"error": verdict}), _ERRORS[verdict])
            try:
                return await handler(request)
            except StoreError as error:
                return _json(msgspec.json.encode({"error": "store", "message": str(error)}), 503)

        return checked

    async def _page(self, request: web.Request) -> web.Response:
        verdict = self._judge(request)
        names = {Verdict.TOKEN_WANTED: "login.html", Verdict.CLOSED: "closed.html"}
        return _file(self._files[names.get(verdict, "index.html")], request, _ERRORS.get(verdict, 200))

    async def _static(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["file"])
        return _file(file, request) if file else web.Response(status=404, headers=_HEADERS)

    async def _login(self, request: web.Request) -> web.Response:
        given = (await request.post()).get("token", "")
        if not isinstance(given, str) or not self._guard.is_token(given.strip()):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            return web.Response(status=303, headers=_PRIVATE | {"Location": "/#wrong"})
        answer = web.Response(status=303, headers=_PRIVATE | {"Location": "/"})
        is_secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(COOKIE, self._guard.cookie, httponly=True, samesite="Strict", secure=is_secure)
        return answer

    async def _say_about(self, _request: web.Request) -> web.Response:
        return _json(self._about)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """One message a second: the sections that have changed."""
        site = _name(request, "site")
        if self._hub.viewers >= MOST_VIEWERS:
            return _json(b'{"error":"viewers"}', 503)
        answer = web.StreamResponse(
            headers=_PRIVATE | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await answer.prepare(request)
        following = self._hub.follow(site)
        try:
            await answer.write(b"retry: 2000\n\n")
            async for changes in following:
                await answer.write(b"data: " + msgspec.json.encode(changes) + b"\n\n")
        except ConnectionError:
            pass  # nobody looks any more
        finally:
            await following.aclose()
        return answer

    async def _persons(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind", "")
        if kind not in LISTS:
            raise web.HTTPBadRequest(text=f"kind must be one of {', '.join(LISTS)}", headers=_PRIVATE)
        return _json(await self._archive.persons(kind, _name(request, "site")))

    async def _person(self, request: web.Request) -> web.Response:
        return _json(await self._archive.person(_name(request, "site"), _name(request, "person")))

    def _looker(self, site: str) -> Callable[[], Snapshot]:
        rate = Rate()

        def look() -> Snapshot:
            found = journeys(self._metrics.journeys.snapshots.copy().values(), site)
            hits, health = self._vitals.read(site)
            found["now"] |= {"at": self._now_ms(), "hits_per_second": rate.at(monotonic(), hits)}
            return found | {"health": health | {"away": dict(self._away)}}

        return look

    async def _ask(self, site: str, snapshot: Snapshot) -> Snapshot:
        watermark = snapshot["now"]["watermark"]
        pane_start = None if watermark is None else watermark - watermark % self._pane_ms
        return await self._archive.sections(site, pane_start)


def _name(request: web.Request, parameter: str) -> str:
    given = request.query.get(parameter, "")
    if len(given) > _MOST_NAME:
        raise web.HTTPBadRequest(text=f"{parameter} is too long", headers=_PRIVATE)
    return given


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", headers=_PRIVATE)


def _file(file: File, request: web.Request, status: int = 200) -> web.Response:
    """Asked for again each time, and sent again when it has changed."""
    headers = _HEADERS | {"Cache-Control": "no-cache", "ETag": file.tag}
    if status == 200 and request.headers.get("If-None-Match") == file.tag:
        return web.Response(status=304, headers=headers)
    return web.Response(status=status, body=file.body, headers=headers | {"Content-Type": file.kind})
