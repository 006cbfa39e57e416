"""matomo.js and Umami's script: their servers hand them out, and no registry has them.

What they sent in a real Chromium is recorded in ``recorded/`` and sent again here. With TRACKER_SCRIPTS=DIR, which
holds matomo.js and umami.js, the scripts themselves run; with RECORD=1 as well, the recordings are made anew.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import ClientSession
from yarl import URL

from pipeline.collector.protocols.base import Event, Refusal, Request

from ..chromium import Page
from ..conftest import Server, Start
from .kit import HERE, SEARCH, Visit, in_views, now_ms, website

pytestmark = pytest.mark.timeout(120)
SITE = "https://shop.example"
_HEADERS = ("Origin", "Referer", "Content-Type", "User-Agent", "Accept-Language")


class Recorded(msgspec.Struct):
    """One request; the site's address is ``SITE``."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


def script_of(name: str) -> str:
    folder = os.environ.get("TRACKER_SCRIPTS")
    if not folder:
        pytest.skip(
            "TRACKER_SCRIPTS names no folder with matomo.js and umami.js; their recordings are tested"
        )
    served = (Path(folder) / f"{name}.js").read_text()
    return f"{(HERE / 'web' / f'{name}.js').read_text()};\n{served}"


def recorded(asked: list[Request], site: str) -> list[Recorded]:
    """The requests without what is of that one run."""

    def anywhere(text: str) -> str:
        text = text.replace(quote(site, safe=""), quote(SITE, safe="")).replace(site, SITE)
        return text.replace("127.0.0.1", "shop.example")

    return [
        Recorded(
            one.method,
            anywhere(f"{one.path}?{one.query}".rstrip("?")),
            {name: anywhere(one.headers[name]) for name in _HEADERS if name in one.headers},
            anywhere(one.body.decode()),
        )
        for one in asked
    ]


async def sent_live(name: str, start: Start, page: Page, attributes: str) -> Server:
    """The script's hits, of a person in a browser."""
    asked: list[Request] = []

    def listen(_protocol: str, request: Request, event: Event) -> str | Refusal:
        if request not in asked:
            asked.append(request)
        return event.key

    server = await start(now_ms=now_ms, gate=listen)
    async with website(script_of(name), server, attributes) as site:
        visit = Visit(page, server, site)
        await visit.enter()
        await visit.does("custom()", "plan_chosen")
        await visit.page.run("journey.identify('u-42'); 0")
        if name == "umami":
            await visit.arrived("identify")
        await visit.navigate(tells=name == "matomo")
        await visit.does("purchase()", "purchase")
        await visit.leave()
        if os.environ.get("RECORD") == "1":
            recording = msgspec.json.format(msgspec.json.encode(recorded(asked, site)), indent=1)
            (HERE / "recorded" / f"{name}.json").write_bytes(recording + b"\n")
    return server


async def sent_again(name: str, start: Start, client: ClientSession) -> Server:
    """The script's hits, of its recording."""
    server = await start(now_ms=now_ms)
    raw = (HERE / "recorded" / f"{name}.json").read_bytes()
    for one in msgspec.json.decode(raw, type=list[Recorded]):
        address = f"{server.url}{one.target}"
        async with client.request(
            one.method, URL(address, encoded=True), data=one.body.encode(), headers=one.headers
        ) as answer:
            assert answer.status in (200, 204)
    return server


def check_matomo(hits: list[dict[str, Any]]) -> None:
    assert [hit["event"] for hit in hits] == ["page_view", "plan_chosen", "page_view", "purchase"]
    first, chosen, second, order = hits
    assert {hit["site"] for hit in hits} == {"3"}
    assert len({hit["visitor_id"] for hit in hits}) == 1
    assert len(first["visitor_id"]) == 16
    assert len({hit["hit_id"] for hit in hits}) == 4
    assert (first["url"], first["title"]) == (f"{SITE}/first{SEARCH}", "صفحه /first")
    assert (second["url"], second["title"]) == (f"{SITE}/second", "/second")
    assert second["referrer"].endswith("/first")
    assert ("user_id" in first, second["user_id"], order["user_id"]) == (False, "u-42", "u-42")
    assert (
        chosen["props"].items()
        >= {"event_category": "plan", "event_label": "pro", "event_value": 2.5}.items()
    )
    assert (order["order_id"], order["revenue"], order["props"]["tax"]) == ("o1", 49.9, 7.97)
    assert order["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "item_category": "Shoes", "price": 24.95, "quantity": 2}
    ]


def check_umami(hits: list[dict[str, Any]]) -> None:
    assert [hit["event"] for hit in hits] == ["page_view", "plan_chosen", "identify", "page_view", "purchase"]
    first, chosen, known, second, order = hits
    assert {hit["site"] for hit in hits} == {"shop"}
    assert len({hit["visitor_id"] for hit in hits}) == 1
    assert (first["url"], first["title"]) == (f"{SITE}/first{SEARCH}", "صفحه /first")
    assert second["url"] == f"{SITE}/second"
    assert chosen["props"] == {"plan": "pro"}
    assert ("user_id" in first, known["user_id"], order["user_id"]) == (False, "u-42", "u-42")
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")


CHECKS = {"matomo": check_matomo, "umami": check_umami}
ATTRIBUTES = {"matomo": "", "umami": 'data-website-id="shop" data-host-url="COLLECTOR"'}


def with_site(server: Server) -> list[dict[str, Any]]:
    """The hits, of whichever address the site had."""
    return [
        {**hit, "url": re.sub(r"^http://127\.0\.0\.1:\d+", SITE, hit["url"])} for hit in server.topic.hits
    ]


@pytest.mark.parametrize("name", ["matomo", "umami"])
async def test_script_in_a_browser(name: str, start: Start, page: Page) -> None:
    server = await sent_live(name, start, page, ATTRIBUTES[name])
    CHECKS[name](with_site(server))


@pytest.mark.parametrize("name", ["matomo", "umami"])
async def test_recording_of_the_script(
    name: str, start: Start, client: ClientSession, tmp_path: Path
) -> None:
    server = await sent_again(name, start, client)
    CHECKS[name](server.topic.hits)
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["page_views"], session["campaign_source"], session["user_id"]) == (2, "news", "u-42")
    assert (session["revenue"], sale["order_id"]) == (49.9, "o1")
