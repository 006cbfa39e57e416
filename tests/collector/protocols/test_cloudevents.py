"""CloudEvents: the examples of the specification's three modes, and what SDKs really send."""

from typing import Any

import msgspec
import pytest

from .kit import NOW_MS, judged

EVENT = {
    "specversion": "1.0", "id": "A234-1234-1234", "source": "/shop/orders", "type": "com.example.order.completed.v2",
    "subject": "customer-42", "time": "2026-11-21T23:59:00Z", "datacontenttype": "application/json",
    "sessionid": "s1",
    "data": {"order_id": "o1", "revenue": 49.90, "currency": "EUR", "visitor_id": "v1", "plan": "pro"},
}  # fmt: skip
PLACE = "/cloudevents/shop"
JSON = "application/cloudevents+json"
BINARY = {
    "ce_specversion": "1.0", "ce_id": "1", "ce_source": "/s", "ce_type": "sign_up", "ce_subject": "u1"
}  # fmt: skip


def test_structured() -> None:
    result = judged("POST", PLACE, EVENT, Content_Type=JSON)
    assert result.answer.status == 204
    hit = result.hit
    assert len(hit.pop("hit_id")) == 32
    assert hit.pop("received_time") == NOW_MS
    assert hit.pop("user_agent").startswith("Mozilla")
    assert hit == {
        "site": "shop",
        "event": "purchase",
        "visitor_id": "v1",
        "time": NOW_MS - 60_000,
        "order_id": "o1",
        "revenue": 49.9,
        "currency": "EUR",
        "props": {
            "plan": "pro",
            "cloudevent": {
                "type": "com.example.order.completed.v2",
                "source": "/shop/orders",
                "subject": "customer-42",
                "sessionid": "s1",
            },
        },
    }


def test_source_and_id_make_the_hit_id() -> None:
    def id_of(**fields: str) -> str:
        return str(judged("POST", PLACE, {**EVENT, **fields}).hit["hit_id"])

    assert id_of() == id_of(time="2020-01-01T00:00:00Z")
    assert len({id_of(), id_of(id="other"), id_of(source="/other")}) == 3


@pytest.mark.parametrize(
    ("data", "event", "visitor", "user"),
    [
        ({"event": "Product Viewed"}, "view_item", None, "customer-42"),
        ({"anonymousId": "a", "userId": 7}, "purchase", "a", "7"),
        ({"url": "https://shop.example/"}, "purchase", None, "customer-42"),
        ("text", "purchase", None, "customer-42"),
        (None, "purchase", None, "customer-42"),
    ],
)
def test_data_says_more_than_the_attributes(
    data: Any, event: str, visitor: str | None, user: str | None
) -> None:
    hit = judged("POST", PLACE, {**EVENT, "data": data}).hit
    assert (hit["event"], hit.get("visitor_id"), hit.get("user_id")) == (event, visitor, user)


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("purchase", "purchase"), ("com.example.user.signed_up", "sign_up"), ("shop/Cart Viewed", "view_cart"),
        ("com.github.pull_request.opened", "com.github.pull_request.opened"),
        ("org.example.product.added.v1", "add_to_cart"),
    ],
)  # fmt: skip
def test_last_words_of_the_type_may_be_a_standard_name(kind: str, event: str) -> None:
    assert judged("POST", PLACE, {**EVENT, "type": kind}).hit["event"] == event


def test_binary() -> None:
    headers = {**BINARY, "ce_time": "2026-11-21T23:59:00Z", "Content_Type": "application/json"}
    hit = judged("POST", PLACE, b'{"plan":"pro"}', **headers).hit
    assert (hit["event"], hit["user_id"], hit["time"], hit["props"]["plan"]) == (
        "sign_up", "u1", NOW_MS - 60_000, "pro"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"a \\"b\\" %41"', 'a "b" A'),
        ("100%", "100%"),
        ("shop \udce4", "shop ä"),  # raw Latin-1, as HTTP servers hand it on
        ("سفر", "سفر"),
    ],
)
def test_header_values_are_unquoted_then_decoded_once(value: str, user: str) -> None:
    assert judged("POST", PLACE, b"{}", **{**BINARY, "ce_subject": value}).hit["user_id"] == user


def test_batch_says_which_of_it_was_no_event() -> None:
    result = judged("POST", PLACE, [EVENT, {"specversion": "1.0"}, 7, {**EVENT, "specversion": "0.1"}])
    assert result.answer.status == 200
    assert [error["index"] for error in msgspec.json.decode(result.answer.body)["errors"]] == [1, 2, 3]
    assert len(result.hits) == 1
    assert judged("POST", PLACE, []).answer.status == 204


@pytest.mark.parametrize(
    ("body", "named", "status"),
    [
        (b"<xml/>", "application/cloudevents+xml", 415),
        (b"nonsense", JSON, 400),
        (b"", JSON, 400),
        (b"{}", JSON, 400),
        ({**EVENT, "id": None}, JSON, 400),
    ],
)
def test_what_is_no_event(body: Any, named: str, status: int) -> None:
    result = judged("POST", PLACE, body, Content_Type=named)
    assert (result.answer.status, result.hits) == (status, [])


def test_data_in_base64() -> None:
    event = {**EVENT, "data": None, "data_base64": "eyJwbGFuIjoicHJvIn0="}
    assert judged("POST", PLACE, event).hit["props"]["plan"] == "pro"


@pytest.mark.parametrize(
    "target", ["/cloudevents?site=shop", "/v1/cloudevents/shop/", "/v1/cloudevents?site=shop"]
)
def test_where_the_site_is_named(target: str) -> None:
    assert judged("POST", target, EVENT).hit["site"] == "shop"
    assert judged("POST", "/cloudevents", {**EVENT, "site": "ext"}).hit["site"] == "ext"


def test_handshake() -> None:
    answer = judged("OPTIONS", PLACE, WebHook_Request_Origin="events.example").answer
    assert (answer.status, answer.headers["WebHook-Allowed-Origin"]) == (200, "events.example")
    assert not judged("OPTIONS", PLACE, WebHook_Request_Origin="a\r\nb").answer.headers
