"""Trackers of servers, in Python."""

from collections import Counter
from pathlib import Path

import pytest

from ..conftest import Server
from .kit import in_views, now_ms, run_python

pytestmark = pytest.mark.timeout(120)
PAGE = "https://shop.example/shoes?utm_source=news"


@pytest.mark.parametrize("method", ["post", "get"])
async def test_snowplow(server: Server, tmp_path: Path, method: str) -> None:
    start = now_ms()
    await run_python("snowplow", server.url, method)
    assert Counter(hit["event"] for hit in server.topic.hits) == {
        "page_view": 1,
        "plan_chosen": 1,
        "purchase": 1,
    }
    by_event = {hit["event"]: hit for hit in server.topic.hits}
    for hit in by_event.values():
        assert (hit["site"], hit["visitor_id"], hit["user_id"]) == ("shop", "d-1", "u-42")
        assert start <= hit["time"] <= now_ms()
    view, order = by_event["page_view"], by_event["purchase"]
    assert (view["url"], view["title"], view["referrer"]) == (PAGE, "Shoes", "https://search.example/")
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["user_id"], session["campaign_source"], session["revenue"]) == ("u-42", "news", 49.9)
    assert sale["order_id"] == "o1"


async def test_ga4_measurement_protocol(server: Server, tmp_path: Path) -> None:
    await run_python("ga4", server.url)
    assert Counter(hit["event"] for hit in server.topic.hits) == {
        "page_view": 1,
        "purchase": 1,
        "plan_chosen": 25,
    }
    by_event = {hit["event"]: hit for hit in server.topic.hits}
    view, order = by_event["page_view"], by_event["purchase"]
    assert (view["site"], view["visitor_id"], view["url"]) == ("G-SHOP", "123.456", PAGE)
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    assert order["items"][0]["item_id"] == "S1"
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["hits"], session["revenue"], sale["currency"]) == (27, 49.9, "EUR")
