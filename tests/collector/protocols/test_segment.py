"""Segment, RudderStack and Jitsu: requests as their clients send them, field by field."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from .kit import CHROME, NOW_MS, judged

AUTH = "Basic " + b64encode(b"shop:").decode()
ISO = "2026-11-22T00:00:00.000Z"  # NOW_MS
CONTEXT = {
    "page": {
        "path": "/pricing",
        "referrer": "https://www.example.org/",
        "search": "?utm_source=news",
        "title": "Pricing",
        "url": "https://shop.example/pricing?utm_source=news",
    },
    "userAgent": CHROME,
    "userAgentData": {"mobile": False, "platform": "Linux"},
    "locale": "de-DE",
    "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
    "campaign": {"source": "news", "medium": "email", "name": "spring"},
    "timezone": "Europe/Berlin",
}


def message(**fields: Any) -> dict[str, Any]:
    """As analytics.js sends one."""
    return {
        "messageId": "ajs-next-1795305600000-28318766-b93a-4069-b560-de7787356e88",
        "anonymousId": "318766b9-3af0-4975-a0de-7787356e88ca",
        "userId": None,
        "timestamp": "2026-11-21T23:59:58.000Z",
        "sentAt": ISO,
        "writeKey": "shop",
        "integrations": {"Segment.io": True},
        "context": CONTEXT,
        **fields,
    }


ORDER = {
    "order_id": "o-1001", "revenue": 49.90, "tax": 7.97, "currency": "eur", "coupon": "SPRING",
    "products": [
        {"product_id": "p1", "sku": "M-1", "name": "Mug", "category": "kitchen", "price": 24.95, "quantity": 2}
    ],
}  # fmt: skip


def test_page_view_of_the_browser() -> None:
    page = {**CONTEXT["page"], "name": "Pricing", "plan": "pro"}  # type: ignore[dict-item]
    body = message(type="page", name="Pricing", properties=page)
    result = judged("POST", "/v1/p", body, Authorization=AUTH, Content_Type="text/plain")
    assert result.answer.status == 200
    assert msgspec.json.decode(result.answer.body)["success"] is True
    hit = result.hit
    assert hit.pop("received_time") == NOW_MS
    assert hit == {
        "site": "shop",
        "event": "page_view",
        "visitor_id": "318766b9-3af0-4975-a0de-7787356e88ca",
        "hit_id": "ajs-next-1795305600000-28318766-b93a-4069-b560-de7787356e88",
        "time": NOW_MS - 2_000,
        "sent_time": NOW_MS,
        "url": "https://shop.example/pricing?utm_source=news",
        "title": "Pricing",
        "referrer": "https://www.example.org/",
        "user_agent": CHROME,
        "language": "de-DE",
        "campaign": {"source": "news", "medium": "email", "name": "spring"},
        "props": {"name": "Pricing", "plan": "pro", "context": {"timezone": "Europe/Berlin"}},
    }


@pytest.mark.parametrize("path", ["/v1/t", "/v1/track", "/v1/track/"])
def test_order_is_a_purchase(path: str) -> None:
    hit = judged("POST", path, message(event="Order Completed", properties=ORDER)).hit
    assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == (
        "purchase", "o-1001", 49.9, "EUR"
    )  # fmt: skip
    assert hit["items"] == [
        {"item_id": "p1", "sku": "M-1", "item_name": "Mug", "item_category": "kitchen", "price": 24.95,
         "quantity": 2}
    ]  # fmt: skip
    assert hit["url"] == "https://shop.example/pricing?utm_source=news"
    assert {name: hit["props"][name] for name in ("tax", "coupon")} == {"tax": 7.97, "coupon": "SPRING"}


@pytest.mark.parametrize(
    ("event", "properties", "revenue"),
    [
        ("Order Completed", {"total": 10, "value": 9}, 10),
        ("Order Completed", {"value": "9.50"}, 9.5),
        ("Order Completed", {"revenue": "undefined", "total": 3}, 3),
        ("Order Refunded", {"total": 10}, 10),
        ("Booked", {"revenue": 5}, 5),
        ("Product Added", {"value": 5}, None),
        ("Order Completed", {"revenue": float(10**13)}, None),
    ],
)
def test_revenue_is_what_moves_money(event: str, properties: dict[str, Any], revenue: float | None) -> None:
    assert judged("POST", "/v1/t", message(event=event, properties=properties)).hit.get("revenue") == revenue


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("Product Viewed", "view_item"), ("Product Added", "add_to_cart"), ("Cart Viewed", "view_cart"),
        ("Checkout Started", "begin_checkout"), ("Payment Info Entered", "add_payment_info"),
        ("Order Refunded", "refund"), ("Signed Up", "sign_up"), ("order_completed", "purchase"),
        ("orderCompleted", "purchase"), ("purchase", "purchase"), ("Plan Chosen", "Plan Chosen"),
    ],
)  # fmt: skip
def test_standard_names_become_ga4_names(name: str, event: str) -> None:
    assert judged("POST", "/v1/t", message(event=name)).hit["event"] == event


def test_single_product_is_an_item() -> None:
    properties = {"sku": "M-1", "name": "Mug", "price": 3, "quantity": 1, "cart_id": "c"}
    hit = judged("POST", "/v1/t", message(event="Product Added", properties=properties)).hit
    assert hit["items"] == [{"item_id": "M-1", "item_name": "Mug", "price": 3, "quantity": 1}]
    assert hit["props"]["cart_id"] == "c"
    assert "price" not in hit["props"]


def test_identify_group_and_alias_link_ids_and_make_no_session() -> None:
    batch = [
        {"type": "identify", "userId": 42, "anonymousId": "a1", "traits": {"plan": "pro"}, "messageId": "1"},
        {"type": "group", "userId": "42", "groupId": "g", "traits": {"seats": 3}, "messageId": "2"},
        {"type": "alias", "userId": "42", "previousId": "a1", "messageId": "3"},
        {"type": "alias", "userId": "42", "previousId": "42", "anonymousId": "a1", "messageId": "4"},
    ]
    hits = judged("POST", "/v1/batch", {"batch": batch, "writeKey": "shop"}).hits
    assert {hit["event"] for hit in hits} == {"identify"}
    assert [(hit.get("visitor_id"), hit["user_id"]) for hit in hits] == [
        ("a1", "42"), (None, "42"), ("a1", "42"), ("a1", "42")
    ]  # fmt: skip
    assert hits[0]["props"] == {"traits": {"plan": "pro"}}
    assert hits[1]["props"] == {"group_id": "g", "traits": {"seats": 3}}


def test_batch_of_the_python_client() -> None:
    body = {
        "batch": [
            {"type": "track", "event": "Order Completed", "userId": "u1", "anonymousId": None, "messageId": "m1",
             "timestamp": "2026-11-21T23:59:00.155+00:00", "properties": {"revenue": 49.9}, "integrations": {}},
            {"type": "page", "userId": "u1", "name": "N", "category": None, "messageId": "m2",
             "timestamp": "2026-11-21T23:59:01.155+00:00", "properties": {"url": "https://x/"}},
            {"type": "nonsense", "userId": "u1"},
            "no message",
        ],
        "context": {"ip": "198.51.100.9"},
        "sentAt": "2026-11-22T00:00:00.655944+00:00",
    }  # fmt: skip
    result = judged("POST", "/v1/batch", body, Authorization=AUTH)
    assert result.answer.status == 200
    order, page = result.hits
    assert (order["time"], order["sent_time"]) == (NOW_MS - 59_845, NOW_MS + 655)
    assert (order["site"], order["user_id"], order["ip"]) == ("shop", "u1", "198.51.100.9")
    assert "visitor_id" not in order
    assert (page["event"], page["title"], page["url"]) == ("page_view", "N", "https://x/")
    assert [refusal.reason for refusal in result.refusals] == ["missing_field", "not_object"]


@pytest.mark.parametrize(
    ("path", "fields", "times"),
    [
        ("/v1/t", {"timestamp": NOW_MS - 9, "sentAt": NOW_MS}, (NOW_MS - 9, NOW_MS)),
        ("/v1/t", {"originalTimestamp": ISO, "timestamp": 5, "sentAt": ISO}, (NOW_MS, NOW_MS)),
        ("/v1/t", {"timestamp": ISO}, (NOW_MS, None)),
        ("/v1/t", {"timestamp": ISO.lower()}, (NOW_MS, None)),
        ("/v1/t", {"timestamp": "yesterday", "sentAt": ISO}, (None, NOW_MS)),
        # RudderStack: a timestamp is the user's word, an original one is corrected
        ("/v1/t", {"channel": "server", "timestamp": ISO, "sentAt": ISO}, (NOW_MS, None)),
        ("/v1/t", {"channel": "web", "originalTimestamp": ISO, "sentAt": ISO}, (NOW_MS, NOW_MS)),
        # Jitsu corrects nothing
        ("/api/s/track", {"timestamp": ISO, "sentAt": ISO}, (NOW_MS, None)),
    ],
)
def test_each_family_has_its_rule_of_time(
    path: str, fields: dict[str, Any], times: tuple[int | None, int | None]
) -> None:
    body = {"userId": "u", "event": "e", "writeKey": "shop", **fields}
    hit = judged("POST", path, body).hit
    assert (hit.get("time"), hit.get("sent_time")) == times


def test_rudderstack_page_says_direct_and_empty_user() -> None:
    page = {
        "url": "https://shop.example/a",
        "title": "A",
        "referrer": "$direct",
        "initial_referrer": "$direct",
    }
    context = {"page": page, "screen": {"width": 800, "height": 600}, "sessionId": 1795306195337}
    body = message(type="page", userId="", properties=page, context=context, channel="web")
    hit = judged("POST", "/v1/page", body, Authorization=AUTH, SentAt=ISO).hit
    assert "referrer" not in hit
    assert "user_id" not in hit
    assert hit["screen"] == "800x600"
    assert hit["props"] == {"context": {"sessionId": 1795306195337}}


def test_rudderstack_traits_of_identify_are_in_the_context() -> None:
    body = {"userId": "u", "messageId": "m", "context": {"traits": {"email": "a@b.example"}}}
    assert judged("POST", "/v1/identify", body, Authorization=AUTH).hit["props"] == {
        "traits": {"email": "a@b.example"}
    }


def test_same_message_is_the_same_hit_also_without_an_id() -> None:
    def id_of(**fields: Any) -> str | None:
        body = {"userId": "u", "event": "e", "writeKey": "shop", **fields}
        found: str | None = judged("POST", "/v1/t", body).hit.get("hit_id")
        return found

    assert id_of(messageId="m") == "m"
    long = id_of(messageId="m" * 65)
    assert long is not None
    assert len(long) == 32
    assert id_of(timestamp=ISO, sentAt=1) == id_of(timestamp=ISO, sentAt=2) != id_of(timestamp=ISO, event="f")
    assert id_of() is None  # it does not say when: twice may be two


def test_consent_of_the_message_is_told_to_the_gate() -> None:
    def consent(**preferences: bool) -> str:
        context = {"consent": {"categoryPreferences": preferences}}
        events = judged("POST", "/v1/t", message(event="e", context=context)).parsed.events
        return events[0].consent

    assert consent(Analytics=False, Advertising=True) == "denied"
    assert consent(Analytics=True) == "granted"
    assert consent(Advertising=False) == ""
