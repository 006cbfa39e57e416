"""Servers' clients of Segment, RudderStack, Jitsu, PostHog and CloudEvents, in node."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..conftest import UNAVAILABLE, Server
from .kit import in_views, now_ms, run_node

pytestmark = pytest.mark.timeout(120)
PAGE = "https://shop.example/shoes?utm_source=news&utm_medium=email"
ITEM = {"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2}


def check(server: Server, started: int, expected: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Nothing twice, nothing lost; hits by event, of several the last."""
    hits = server.topic.hits
    assert Counter(hit["event"] for hit in hits) == expected
    assert len({hit["hit_id"] for hit in hits}) == len(hits)
    assert {(hit["site"], hit.get("user_id")) for hit in hits} == {("shop", "u-42")}
    assert all(started <= hit["time"] <= now_ms() for hit in hits)
    by_event = {hit["event"]: hit for hit in hits}
    order = by_event["purchase"]
    assert (order["order_id"], order["revenue"], order["currency"]) == ("o1", 49.9, "EUR")
    return by_event


def check_views(server: Server, directory: Path) -> None:
    (session,), (sale,) = in_views(server, directory)
    assert (session["channel"], session["campaign_source"], session["page_views"]) == ("email", "news", 1)
    assert (session["user_id"], session["revenue"]) == ("u-42", 49.9)
    assert (sale["order_id"], sale["currency"]) == ("o1", "EUR")


@pytest.mark.parametrize("client", ["segment", "rudderstack"])
async def test_segment_and_rudderstack(server: Server, tmp_path: Path, client: str) -> None:
    started = now_ms()
    await run_node(client, server.url)
    by_event = check(server, started, {"identify": 2, "page_view": 1, "purchase": 1})
    assert {hit["visitor_id"] for hit in server.topic.hits} == {"d-1"}
    view, order = by_event["page_view"], by_event["purchase"]
    assert (view["url"], view["title"], view["referrer"]) == (PAGE, "Shoes", "https://search.example/")
    assert order["items"] == [ITEM]
    assert (order["ip"], order["language"]) == ("198.51.100.0", "de-DE")  # cut at the gate
    check_views(server, tmp_path)


async def test_jitsu(server: Server, tmp_path: Path) -> None:
    started = now_ms()
    await run_node("jitsu", server.url)
    by_event = check(server, started, {"identify": 1, "page_view": 1, "purchase": 1})
    assert by_event["page_view"]["url"] == PAGE
    assert by_event["purchase"]["items"] == [ITEM]
    check_views(server, tmp_path)


async def test_posthog(server: Server, tmp_path: Path) -> None:
    started = now_ms()
    await run_node("posthog", server.url)
    by_event = check(server, started, {"identify": 2, "page_view": 1, "purchase": 1})
    view = by_event["page_view"]
    assert (view["url"], view["title"], view["referrer"]) == (PAGE, "Shoes", "https://search.example/")
    assert [hit.get("visitor_id") for hit in server.topic.hits if hit["event"] == "identify"] == [None, "d-1"]
    check_views(server, tmp_path)


async def test_cloudevents(server: Server) -> None:
    started = now_ms()
    await run_node("cloudevents", server.url)
    by_event = check(server, started, {"purchase": 1, "sign_up": 1, "page_view": 2})
    assert by_event["sign_up"]["props"]["note"] == "سفر"


@pytest.mark.parametrize("client", ["segment", "posthog"])
async def test_what_was_not_taken_comes_again_and_counts_once(server: Server, client: str) -> None:
    """The topic is away for the first request; the client waits, tries again, and is taken."""
    publish, failures = server.topic.publish, []

    async def fail_once(records: list[tuple[bytes, bytes]]) -> None:
        if not failures:
            failures.append(len(records))
            raise UNAVAILABLE
        await publish(records)

    server.topic.publish = fail_once  # type: ignore[method-assign]
    started = now_ms()
    await run_node(client, server.url)
    assert failures
    check(server, started, {"identify": 2, "page_view": 1, "purchase": 1})
