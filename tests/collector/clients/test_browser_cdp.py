"""Segment, RudderStack, Jitsu and PostHog in a real browser: a visit from the first page to the last word."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..chromium import Page
from ..conftest import UNAVAILABLE, Server
from .kit import SEARCH, Visit, bundle, in_views, now_ms, until, website

pytestmark = pytest.mark.timeout(180)
ONCE = {"Plan Chosen": 1, "identify": 1, "purchase": 1, "Last Word": 1}


async def visit(page: Page, server: Server, script: str, search: str = SEARCH, *, tells: bool = True) -> str:
    """The whole visit; returns the site's address."""
    async with website(bundle(script), server) as site:
        person = Visit(page, server, site)
        await person.enter(search=search)
        await person.navigate(tells=tells)
        await person.does("custom()", "Plan Chosen")
        await person.does("identify('u-42')", "identify")
        await person.does("purchase()", "purchase")
        await page.run("journey.last(); location.href = 'about:blank'; 0")
        await until(lambda: person.events()["Last Word"] > 0, person.events)
        await asyncio.sleep(1)
        assert page.errors == []
        return site


def check(server: Server, site: str, started: int, views: int = 2) -> dict[str, dict[str, Any]]:
    """Nothing twice, nothing lost, all of it right; hits by event, of the page views the last."""
    hits = server.topic.hits
    events = Counter(hit["event"] for hit in hits)
    assert {name: events[name] for name in ONCE} == ONCE
    assert events["page_view"] == views
    assert len({hit["hit_id"] for hit in hits}) == len(hits)
    assert {hit["site"] for hit in hits} == {"shop"}
    assert len({hit["visitor_id"] for hit in hits}) == 1
    for hit in hits:
        assert started - 1_000 <= hit["time"] <= now_ms()
        assert 0 <= hit["received_time"] - hit["time"] < 15_000
        assert hit["url"].startswith(site)
        assert "Chrome/156" in hit["user_agent"]
        assert "Headless" not in hit["user_agent"]
    first = next(hit for hit in hits if hit["event"] == "page_view")
    assert first["url"].startswith(f"{site}/first?utm_source=news&utm_medium=email&utm_campaign=spring")
    assert first["title"] == "صفحه /first"
    assert "user_id" not in first
    by_event = {hit["event"]: hit for hit in hits}
    assert (by_event["page_view"]["url"], by_event["page_view"]["title"]) == (f"{site}/second", "/second")
    assert by_event["identify"]["user_id"] == by_event["purchase"]["user_id"] == "u-42"
    assert by_event["Plan Chosen"]["props"]["plan"] == "pro"
    order = by_event["purchase"]
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    assert order["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "item_category": "Shoes", "price": 24.95, "quantity": 2}
    ]
    return by_event


def check_views(server: Server, directory: Path, site: str) -> None:
    (session,), (sale,) = in_views(server, directory)
    assert (session["channel"], session["campaign_source"], session["campaign_name"]) == (
        "email",
        "news",
        "spring",
    )
    assert (session["page_views"], session["user_id"], session["revenue"]) == (2, "u-42", 49.9)
    assert session["entry_url"].startswith(f"{site}/first")
    assert (sale["order_id"], sale["revenue"], sale["currency"]) == ("o1", 49.9, "EUR")


@pytest.mark.parametrize("script", ["segment", "segment_batching", "rudderstack", "jitsu"])
async def test_family_of_segment(page: Page, server: Server, tmp_path: Path, script: str) -> None:
    started = now_ms()
    site = await visit(page, server, script)
    check(server, site, started)
    check_views(server, tmp_path, site)


async def test_rudderstack_by_beacon(page: Page, server: Server) -> None:
    started = now_ms()
    site = await visit(page, server, "rudderstack", f"{SEARCH}&beacon=1")
    check(server, site, started)


@pytest.mark.parametrize("search", [SEARCH, f"{SEARCH}&plain=1"])
async def test_posthog(page: Page, server: Server, tmp_path: Path, search: str) -> None:
    started = now_ms()
    site = await visit(page, server, "posthog", search, tells=False)
    by_event = check(server, site, started)
    assert by_event["page_view"]["referrer"] == f"{site}/first"
    assert by_event["user_engagement"]["url"] == f"{site}/second"
    check_views(server, tmp_path, site)


@pytest.mark.parametrize("script", ["segment", "rudderstack", "posthog"])
async def test_view_that_was_not_taken_comes_again_and_counts_once(
    page: Page, server: Server, script: str
) -> None:
    """The topic is away at first. Jitsu's script is not here: it does not try again."""
    server.topic.down = UNAVAILABLE
    async with website(bundle(script), server) as site:
        await page.open(f"{site}/first")
        await until(lambda: server.collector.counts.turned_away > 0)
        server.topic.down = None
        person = Visit(page, server, site)
        await person.arrived("page_view")
        await asyncio.sleep(2)
        assert person.events()["page_view"] == 1
