"""Trackers of servers, in node."""

from collections import Counter
from pathlib import Path

import pytest

from ..conftest import Server
from .kit import in_views, now_ms, run_node

pytestmark = pytest.mark.timeout(120)
PAGE = "https://shop.example/shoes?utm_source=news"


async def test_matomo_tracker(server: Server, tmp_path: Path) -> None:
    await run_node("matomo", server.url)
    assert Counter(hit["event"] for hit in server.topic.hits) == {
        "page_view": 1,
        "plan_chosen": 1,
        "purchase": 1,
    }
    view, chosen, order = sorted(server.topic.hits, key=lambda hit: str(hit["event"]))
    for hit in (view, chosen, order):
        assert (hit["site"], hit["visitor_id"], hit["user_id"]) == ("3", "0123456789abcdef", "u-42")
        assert hit["url"].startswith(PAGE)
    assert (view["title"], view["referrer"]) == ("Shoes", "https://search.example/")
    assert (
        chosen["props"].items()
        >= {"event_category": "plan", "event_label": "pro", "event_value": 2.5}.items()
    )
    assert (order["order_id"], order["revenue"]) == ("o1", 49.9)
    assert order["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "item_category": "Shoes", "price": 24.95, "quantity": 2}
    ]
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["channel"], session["campaign_source"], session["page_views"]) == ("email", "news", 1)
    assert (sale["order_id"], sale["revenue"]) == ("o1", 49.9)


@pytest.mark.parametrize("method", ["post", "get"])
async def test_snowplow_node_tracker(server: Server, tmp_path: Path, method: str) -> None:
    start = now_ms()
    await run_node("snowplow", server.url, method)
    assert Counter(hit["event"] for hit in server.topic.hits) == {
        "page_view": 1,
        "plan_chosen": 1,
        "purchase": 1,
    }
    by_event = {hit["event"]: hit for hit in server.topic.hits}
    for hit in by_event.values():
        assert (hit["site"], hit["visitor_id"], hit["user_id"]) == ("shop", "d-1", "u-42")
        assert len(hit["hit_id"]) == 36
        assert start - 1 <= hit.get("time", hit["received_time"]) <= now_ms()
    assert by_event["page_view"]["url"] == PAGE
    assert by_event["page_view"]["title"] == "Shoes"
    assert by_event["plan_chosen"]["props"]["event_value"] == 2.5
    order = by_event["purchase"]
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["user_id"], session["hits"], session["revenue"]) == ("u-42", 3, 49.9)
    assert (sale["order_id"], sale["currency"]) == ("o1", "EUR")


async def test_umami_node(server: Server) -> None:
    await run_node("umami", server.url)
    assert [hit["event"] for hit in server.topic.hits] == ["page_view", "plan_chosen", "purchase", "identify"]
    view, chosen, order, _ = server.topic.hits
    assert len({hit["visitor_id"] for hit in server.topic.hits}) == 1
    assert (view["site"], view["url"], view["title"]) == ("shop", PAGE, "Shoes")
    assert chosen["props"] == {"plan": "pro"}
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
