"""Servers' clients of Segment, RudderStack, PostHog and CloudEvents, in Python: an environment of their own."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Server
from .kit import in_views, now_ms, run_python

pytestmark = pytest.mark.timeout(120)
PAGE = "https://shop.example/shoes?utm_source=news&utm_medium=email"


def check(server: Server, started: int, expected: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Nothing twice, nothing lost; hits by event, of several the last."""
    hits = server.topic.hits
    assert Counter(hit["event"] for hit in hits) == expected
    assert len({hit["hit_id"] for hit in hits}) == len(hits)
    assert {(hit["site"], hit["user_id"]) for hit in hits} == {("shop", "u-42")}
    assert all(started <= hit.get("time", hit["received_time"]) <= now_ms() for hit in hits)
    by_event = {hit["event"]: hit for hit in hits}
    order = by_event["purchase"]
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    return by_event


@pytest.mark.parametrize("client", ["segment", "rudderstack", "posthog"])
async def test_client(server: Server, tmp_path: Path, client: str) -> None:
    started = now_ms()
    await run_python(f"{client}_client", server.url)
    by_event = check(server, started, {"identify": 2, "page_view": 1, "purchase": 1})
    view = by_event["page_view"]
    assert (view["url"], view["title"], view["referrer"]) == (PAGE, "Shoes", "https://search.example/")
    assert by_event["purchase"]["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2}
    ]
    assert "d-1" in {hit.get("visitor_id") for hit in server.topic.hits if hit["event"] == "identify"}
    (session,), (sale,) = in_views(server, tmp_path)
    assert (session["channel"], session["page_views"], session["revenue"]) == ("email", 1, 49.9)
    assert sale["order_id"] == "o1"


async def test_cloudevents(server: Server) -> None:
    started = now_ms()
    await run_python("cloudevents_client", server.url)
    by_event = check(server, started, {"purchase": 1, "sign_up": 1})
    assert by_event["sign_up"]["props"]["note"] == "سفر"
