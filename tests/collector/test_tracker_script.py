"""masir.js in a real Chromium, on pages of another origin than the collector's."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Any

import pytest
from aiohttp import web

from pipeline.core.decode import decode
from schemas.hit import Hit

from .chromium import Page, open_page
from .conftest import UNAVAILABLE, Server

pytestmark = pytest.mark.timeout(120)

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>
<script>window.masir=window.masir||function(){{(masir.q=masir.q||[]).push(arguments)}};{early}</script>
<script async data-site="shop" src="{collector}/masir.js"></script></head>
<body><a id="next" href="/second">next</a></body></html>"""


@pytest.fixture
async def site(server: Server) -> AsyncIterator[str]:
    """Pages at any path; ``?early=`` is run before the tracker has loaded."""

    async def page(request: web.Request) -> web.Response:
        text = _PAGE.format(
            title=f"صفحه {request.path}",
            early=request.query.get("early", ""),
            collector=server.url.replace("127.0.0.1", "localhost"),
        )
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/favicon.ico", _no_content)
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _no_content(_request: web.Request) -> web.Response:
    return web.Response(status=204)


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    async with open_page(browser) as tab:
        yield tab


async def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds; fails after 20 s."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def quiet(page: Page) -> None:
    """Long enough for a hit that should not come to come."""
    await asyncio.sleep(0.6)
    assert page.errors == []


def seen(server: Server, event: str) -> list[dict[str, Any]]:
    return [hit for hit in server.topic.hits if hit.get("event") == event]


def paths(server: Server) -> list[str]:
    return [re.sub(r"^https?://[^/]+", "", hit["url"]) for hit in seen(server, "page_view")]


def each_once(server: Server) -> bool:
    return max(Counter(hit["hit_id"] for hit in server.topic.hits).values()) == 1


def test_script_is_smaller_than_4_kib() -> None:
    assert len(files("pipeline.collector").joinpath("masir.js").read_bytes()) < 4_096


async def test_page_view(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first?utm_source=news")
    await until(lambda: bool(seen(server, "page_view")))
    await quiet(page)
    (hit,) = server.topic.hits
    assert hit["site"] == "shop"
    assert hit["url"] == f"{site}/first?utm_source=news"
    assert hit["title"] == "صفحه /first"
    assert re.fullmatch(r"[0-9a-f]{32}", hit["hit_id"])
    assert re.fullmatch(r"[0-9a-f]{32}", hit["visitor_id"])
    assert re.fullmatch(r"\d+x\d+", hit["screen"])
    assert 0 <= hit["sent_time"] - hit["time"] < 20_000
    assert "Chrome" in hit["user_agent"]
    assert all(isinstance(decode(value), Hit) for _, value in server.topic.records)
    assert await page.run("document.cookie") == ""


async def test_same_visitor_on_the_second_page(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: len(seen(server, "page_view")) == 1)
    await quiet(page)
    await page.open(f"{site}/second")
    await until(lambda: len(seen(server, "page_view")) == 2)
    await quiet(page)
    first, second = server.topic.hits
    assert first["visitor_id"] == second["visitor_id"]
    assert first["hit_id"] != second["hit_id"]


async def test_single_page_app(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await page.run("history.pushState({}, '', '/app'); setTimeout(() => document.title = 'App', 20); 0")
    await until(lambda: paths(server) == ["/first", "/app"])
    await page.run("history.replaceState({}, '', '/app?cleaned=1')")  # the same page, its address tidied
    await page.run("history.replaceState({}, '', '/replaced')")
    await until(lambda: paths(server)[2:] == ["/replaced"])
    await page.run("history.pushState({}, '', '/replaced#part')")
    await page.run("history.pushState({}, '', '/last?a=1')")
    await until(lambda: paths(server)[3:] == ["/last?a=1"])
    await page.run("history.go(-2)")
    await until(lambda: paths(server)[4:] == ["/replaced"])
    await quiet(page)
    assert len(paths(server)) == 5
    assert each_once(server)
    first, app = seen(server, "page_view")[:2]
    assert app["title"] == "App"
    assert app["referrer"] == first["url"]


async def test_custom_event(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await page.run("masir('purchase', {revenue: 12.5, currency: 'EUR', order_id: 'o1', gift: true})")
    await until(lambda: bool(seen(server, "purchase")))
    await quiet(page)
    (order,) = seen(server, "purchase")
    assert (order["revenue"], order["currency"], order["order_id"]) == (12.5, "EUR", "o1")
    assert order["props"] == {"gift": True}
    assert each_once(server)


async def test_calls_before_the_script_has_loaded_are_kept(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first?early=masir('sign_up',{{plan:'pro'}});masir('search')")
    await until(lambda: len(server.topic.hits) == 3)
    await quiet(page)
    assert Counter(hit["event"] for hit in server.topic.hits) == {"page_view": 1, "sign_up": 1, "search": 1}
    assert seen(server, "sign_up")[0]["props"] == {"plan": "pro"}


async def test_identify_lasts_until_it_is_taken_back(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await page.run("masir('identify', 42)")
    await until(lambda: bool(seen(server, "identify")))
    await page.open(f"{site}/second")
    await until(lambda: "/second" in paths(server))
    await page.run("masir('identify', null); masir('logout')")
    await until(lambda: bool(seen(server, "logout")))
    await quiet(page)
    users = [(hit["event"], hit.get("user_id")) for hit in server.topic.hits]
    assert users == [("page_view", None), ("identify", "42"), ("page_view", "42"), ("logout", None)]


async def test_event_at_the_moment_of_leaving_is_not_lost(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await quiet(page)
    await page.run("addEventListener('pagehide', () => masir('late_word'))")
    await page.run("next.onclick = () => masir('click'); 0")
    page.loaded.clear()
    await page.run("next.click()")
    await until(lambda: "/second" in paths(server) and bool(seen(server, "late_word")))
    await quiet(page)
    distinct = {hit["hit_id"]: hit["event"] for hit in server.topic.hits}
    assert Counter(distinct.values()) == {"page_view": 2, "click": 1, "late_word": 1}


async def test_leaving_the_site_sends_what_is_left(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await page.run("addEventListener('pagehide', () => masir('late_word'))")
    await page.open("about:blank")
    await until(lambda: bool(seen(server, "late_word")))
    await quiet(page)
    assert each_once(server)


async def test_leaving_uses_a_beacon_where_fetch_does_not_work(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await page.run("window.fetch = () => Promise.reject(); masir('late_word')")
    await page.open("about:blank")
    await until(lambda: bool(seen(server, "late_word")))
    await quiet(page)
    assert each_once(server)


async def test_view_that_is_left_at_once_is_not_lost(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await page.run("history.pushState({}, '', '/app'); location.href = '/second'; 0")
    await until(lambda: {"/first", "/app", "/second"} == set(paths(server)))
    await quiet(page)


async def test_refused_hits_are_not_sent_again(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    await until(lambda: paths(server) == ["/first"])
    await page.run("masir('x'.repeat(65))")
    await until(lambda: len(server.topic.records) == 2)
    await page.open(f"{site}/second")
    await until(lambda: "/second" in paths(server))
    await asyncio.sleep(0.6)
    assert len(server.topic.records) == 3


async def test_hits_wait_while_the_topic_is_away(server: Server, site: str, page: Page) -> None:
    server.topic.down = UNAVAILABLE
    await page.open(f"{site}/first")
    await until(lambda: server.collector.counts.turned_away > 0)
    await page.open(f"{site}/second")
    await until(lambda: server.collector.counts.turned_away > 1)
    assert server.topic.records == []
    server.topic.down = None
    await until(lambda: sorted(paths(server)) == ["/first", "/second"])
    await asyncio.sleep(0.6)
    assert each_once(server)
    assert await page.run("Object.keys(localStorage).filter(k => k.startsWith('masir.hit')).length") == 0


async def test_hits_kept_for_a_day_are_given_up(server: Server, site: str, page: Page) -> None:
    """One that was beaconed may have arrived: after ``dedupe_hours`` its repeat would count again."""
    server.topic.down = UNAVAILABLE
    await page.open(f"{site}/first")
    await until(lambda: server.collector.counts.turned_away > 0)
    kept = """for (const hours of [20, 25]) {
        const name = `${hours}`, time = Date.now() - hours * 36e5
        const hit = {site: 'shop', event: name, hit_id: name, visitor_id: 'v', time}
        localStorage[`masir.hit.${name}`] = JSON.stringify(hit)
    }
    localStorage['masir.hit.broken'] = '{'; 0"""
    await page.run(kept)
    server.topic.down = None
    await page.open(f"{site}/second")
    await until(lambda: len(seen(server, "20")) == 1 and "/second" in paths(server))
    await asyncio.sleep(0.6)
    assert seen(server, "25") == []
    assert await page.run("Object.keys(localStorage).filter(k => k.startsWith('masir.hit')).length") == 0


async def test_unsent_hits_are_bounded(server: Server, site: str, page: Page) -> None:
    server.topic.down = UNAVAILABLE
    await page.open(f"{site}/first")
    await page.run("for (let i = 0; i < 200; i++) masir('tick', {i}); 0")
    kept = await page.run("Object.keys(localStorage).filter(k => k.startsWith('masir.hit')).length")
    assert kept == 50
    server.topic.down = None
    await until(lambda: len(seen(server, "tick")) == 50)
    assert {hit["props"]["i"] for hit in seen(server, "tick")} == set(range(150, 200))


@pytest.mark.parametrize("storage", ["{get(){throw new Error('denied')}}", "{value:null}"])
async def test_works_without_storage(server: Server, site: str, page: Page, storage: str) -> None:
    await page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source=f"Object.defineProperty(window, 'localStorage', {storage})",
    )
    await page.open(f"{site}/first")
    await page.run("masir('click')")
    await until(lambda: len(server.topic.hits) == 2)
    await quiet(page)
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1


async def test_never_throws_on_the_page(server: Server, site: str, page: Page) -> None:
    await page.open(f"{site}/first")
    calls = "masir('bad', {loop}); masir(); masir(null, 3); masir(Symbol()); masir('good')"
    await page.run(f"const loop = {{}}; loop.self = loop; {calls}; 0")
    await until(lambda: bool(seen(server, "good")))
    await quiet(page)
