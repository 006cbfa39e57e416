"""Trackers of pages, in a real Chromium: enter, look on, do, become known, buy, leave. Nothing twice, nothing lost."""

from collections import Counter
from pathlib import Path

import pytest

from ..chromium import Page
from ..conftest import Server
from .kit import OURS, SEARCH, Visit, bundle, in_views, now_ms, website

pytestmark = pytest.mark.timeout(120)


def all_differ(visit: Visit) -> bool:
    ids = [hit["hit_id"] for hit in visit.server.topic.hits]
    return len(set(ids)) == len(ids)


@pytest.mark.parametrize("method", ["post", "get"])
async def test_snowplow(server: Server, page: Page, tmp_path: Path, method: str) -> None:
    start = now_ms()
    async with website(bundle("snowplow"), server) as site:
        visit = Visit(page, server, site)
        await visit.enter(search=f"{SEARCH}&method={method}")
        await visit.stay("user_engagement")
        await visit.does("custom()", "plan_chosen")
        await visit.does("identify('u-42')", "page_view")
        await visit.navigate(tells=True)
        await visit.does("purchase()", "purchase")
        await visit.leave()
    events = visit.events()
    assert events.pop("user_engagement") >= 1
    assert events == {"page_view": 2, "plan_chosen": 1, "purchase": 1}
    assert all_differ(visit)
    first, second = visit.hits("page_view")
    order = visit.hit("purchase")
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1
    assert {hit["site"] for hit in server.topic.hits} == {"shop"}
    assert (first["url"], first["title"]) == (f"{site}/first{SEARCH}&method={method}", "صفحه /first")
    assert (second["url"], second["referrer"]) == (f"{site}/second", first["url"])
    assert ("user_id" in first, second["user_id"], order["user_id"]) == (False, "u-42", "u-42")
    assert visit.hit("plan_chosen")["props"]["event_value"] == 2.5
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    assert order["items"][0].items() >= {"item_id": "S1", "price": 24.95, "quantity": 2}.items()
    for hit in server.topic.hits:
        assert start <= hit.get("time", hit["received_time"]) <= hit["received_time"]
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["page_views"], session["campaign_source"], session["channel"]) == (2, "news", "email")
    assert (session["user_id"], session["revenue"], session["bounced"]) == ("u-42", 49.9, 0)
    assert (sale["order_id"], sale["revenue"], sale["currency"]) == ("o1", 49.9, "EUR")


@pytest.mark.parametrize("script", ["plausible", "plausible_legacy"])
async def test_plausible(server: Server, page: Page, tmp_path: Path, script: str) -> None:
    async with website(bundle(script), server) as site:
        visit = Visit(page, server, site)
        await visit.enter()
        await visit.navigate()
        await visit.does("custom()", "Plan Chosen")
        await visit.does("purchase()", "purchase")
        await visit.leave()
    events = visit.events()
    events.pop("user_engagement", None)
    assert events == {"page_view": 2, "Plan Chosen": 1, "purchase": 1}
    first, second = visit.hits("page_view")
    order = visit.hit("purchase")
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1
    assert {hit["site"] for hit in server.topic.hits} == {"shop"}
    assert (first["url"], second["url"]) == (f"{site}/first{SEARCH}", f"{site}/second")
    assert visit.hit("Plan Chosen")["props"]["plan"] == "pro"
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["page_views"], session["campaign_name"], session["revenue"]) == (2, "spring", 49.9)
    assert (sale["order_id"], sale["revenue"]) == ("o1", 49.9)


async def test_ga4_by_collect(server: Server, page: Page, tmp_path: Path) -> None:
    async with website(bundle("minimal_ga4"), server) as site:
        visit = Visit(page, server, site)
        await visit.enter()
        await visit.navigate(tells=True)
        await visit.does("custom()", "plan_chosen")
        await visit.does("purchase()", "purchase")
        await visit.leave()
    events = visit.events()
    assert Counter({name: n for name, n in events.items() if name not in ("user_engagement", "scroll")}) == {
        "page_view": 2, "plan_chosen": 1, "purchase": 1,
    }  # fmt: skip
    first, second = visit.hits("page_view")
    order = visit.hit("purchase")
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1
    assert {hit["site"] for hit in server.topic.hits} == {"G-SHOP"}
    assert (first["url"], second["url"]) == (f"{site}/first{SEARCH}", f"{site}/second")
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["page_views"], session["revenue"], sale["order_id"]) == (2, 49.9, "o1")


async def test_ours(server: Server, page: Page, tmp_path: Path) -> None:
    start = now_ms()
    async with website(OURS, server) as site:
        visit = Visit(page, server, site)
        await visit.enter()
        await visit.navigate()
        await visit.page.run("masir('plan_chosen', {plan: 'pro'}); masir('identify', 'u-42'); 0")
        await visit.arrived("identify")
        await visit.page.run(
            "masir('purchase', {revenue: 49.90, currency: 'EUR', order_id: 'o1', items: [{item_id: 'S1'}]}); 0"
        )
        await visit.arrived("purchase")
        await visit.leave()
    assert visit.events() == {"page_view": 2, "plan_chosen": 1, "identify": 1, "purchase": 1}
    assert all_differ(visit)
    first, second = visit.hits("page_view")
    order = visit.hit("purchase")
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1
    assert {hit["site"] for hit in server.topic.hits} == {"shop"}
    assert (first["url"], first["title"]) == (f"{site}/first{SEARCH}", "صفحه /first")
    assert (second["url"], second["referrer"]) == (f"{site}/second", first["url"])
    assert ("user_id" in first, order["user_id"]) == (False, "u-42")
    assert (order["revenue"], order["items"]) == (49.9, [{"item_id": "S1"}])
    assert all(start <= hit["time"] <= hit["received_time"] for hit in server.topic.hits)
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["page_views"], session["campaign_source"], session["channel"]) == (2, "news", "email")
    assert (session["user_id"], session["revenue"], session["bounced"]) == ("u-42", 49.9, 0)
    assert (sale["order_id"], sale["revenue"], sale["currency"]) == ("o1", 49.9, "EUR")
