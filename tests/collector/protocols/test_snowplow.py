"""Snowplow: what its trackers send, field by field, and what they are answered."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline.collector.pixel import GIF
from pipeline.collector.protocols.table import listening, parse
from pipeline.core.event_time import column_of, event_times

from .kit import CHROME, NOW_MS, Judged, judged, request

TP2 = "/com.snowplowanalytics.snowplow/tp2"
PAYLOADS = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
EID = "5f3b8a52-1f0e-4d3e-9d5c-2f6a5a0c1b11"
VIEW = {
    "e": "pv", "eid": EID, "aid": "shop", "tna": "sp", "p": "web", "tv": "js-4.10.1", "duid": "d-1", "uid": "u-1",
    "sid": "s-1", "url": "https://shop.example/?utm_source=news", "page": "Home", "refr": "https://search.example/",
    "lang": "fa-IR", "res": "1920x1080", "dtm": str(NOW_MS - 9_000), "stm": str(NOW_MS - 1_000),
}  # fmt: skip


def described(name: str, data: Any, vendor: str = "com.snowplowanalytics.snowplow") -> dict[str, Any]:
    return {"schema": f"iglu:{vendor}/{name}/jsonschema/1-0-0", "data": data}


def post(*events: Any, path: str = TP2, **headers: str) -> Judged:
    return judged("POST", path, {"schema": PAYLOADS, "data": list(events)}, **headers)


def self_describing(name: str, data: Any, *entities: dict[str, Any], **fields: str) -> dict[str, Any]:
    event = VIEW | {"e": "ue", "ue_pr": json.dumps(described("unstruct_event", described(name, data)))}
    return post(event | {"co": json.dumps(described("contexts", list(entities)))} | fields).hit


def test_page_view_field_by_field() -> None:
    found = post(VIEW)
    assert found.hit == {
        "site": "shop",
        "event": "page_view",
        "visitor_id": "d-1",
        "user_id": "u-1",
        "hit_id": EID,
        "time": NOW_MS - 9_000,
        "sent_time": NOW_MS - 1_000,
        "url": VIEW["url"],
        "title": "Home",
        "referrer": "https://search.example/",
        "language": "fa-IR",
        "screen": "1920x1080",
        "user_agent": CHROME,
        "props": {"tracker_session_id": "s-1", "tracker": "sp", "platform": "web"},
        "received_time": NOW_MS,
    }
    assert (found.answer.status, found.answer.body, found.answer.content_type) == (200, b"ok", "text/plain")


@pytest.mark.parametrize("path", ["/i", "/ice.png", "/any/i", TP2, "/acme/track"])
def test_get_is_one_event_and_a_pixel(path: str) -> None:
    found = judged("GET", f"{path}?{urlencode(VIEW)}")
    assert (found.hit["event"], found.hit["hit_id"]) == ("page_view", EID)
    assert (found.answer.status, found.answer.body) == (200, GIF)


def test_path_of_ones_own_is_told_by_the_wrapper() -> None:
    assert post(VIEW, path="/acme/track").hit["event"] == "page_view"
    for method, target, body in (
        ("POST", "/acme/track", b'{"data":[{"e":"pv"}]}'),
        ("POST", "/acme/track", b""),
        ("GET", "/acme/track?e=1", b""),
    ):
        asked = request(method, target, body)
        assert parse(listening(asked.path), asked) is None


@pytest.mark.parametrize(
    ("stamps", "time", "sent"),
    [
        ({"ttm": "1000", "dtm": "2000", "stm": "3000"}, 1_000, None),
        ({"dtm": "2000", "stm": "3000"}, 2_000, 3_000),
        ({"dtm": "3000", "stm": "3000"}, 3_000, 3_000),
        ({"dtm": "3999", "stm": "3000"}, 3_999, 3_000),  # the Python tracker cuts stm to seconds
        ({"dtm": "4000", "stm": "3000"}, None, None),
        ({"dtm": "2000"}, None, None),
        ({"dtm": "x", "stm": "3000"}, None, None),
    ],
)
def test_time(stamps: dict[str, str], time: int | None, sent: int | None) -> None:
    event = {name: value for name, value in VIEW.items() if name not in ("dtm", "stm")} | stamps
    hit = post(event).hit
    assert (hit.get("time"), hit.get("sent_time")) == (time, sent)


@pytest.mark.parametrize("clock_ms", [0, 2 * 3_600_000, -26 * 3_600_000])
@pytest.mark.parametrize("delay_ms", [1, 3_000, 600_000])
def test_wrong_clock_moves_no_event(clock_ms: int, delay_ms: int) -> None:
    """What the pipeline makes of the times is when it happened, by the clock that is right."""
    happened = NOW_MS - delay_ms
    hit = post(VIEW | {"dtm": str(happened + clock_ms), "stm": str(NOW_MS + clock_ms)}).hit
    times = (column_of([hit[name]]) for name in ("time", "sent_time", "received_time"))
    (found,), (clamped,) = event_times(*times)
    assert (found, clamped) == (happened, False)


def test_page_ping_and_structured_event() -> None:
    ping = post(VIEW | {"e": "pp", "pp_may": "300"}).hit
    assert (ping["event"], ping["props"]["scroll_y_max"]) == ("user_engagement", 300)
    for prefix in ("se", "ev"):
        names = {"ca": "shop", "ac": "add", "la": "red", "pr": "size", "va": "2.5"}
        event = post(VIEW | {"e": "se"} | {f"{prefix}_{name}": value for name, value in names.items()}).hit
        assert event["event"] == "add"
        assert event["props"].items() >= {
            "event_category": "shop", "event_label": "red", "event_property": "size", "event_value": 2.5,
        }.items()  # fmt: skip


def test_order_and_items_are_hits_of_their_own_however_they_are_batched() -> None:
    order = VIEW | {
        "e": "tr",
        "tr_id": "o1",
        "tr_tt": "49.90",
        "tr_tx": "7.97",
        "tr_cu": "EUR",
        "tr_ci": "Köln",
    }
    item = VIEW | {"e": "ti", "ti_id": "o1", "ti_sk": "S1", "ti_na": "Shoe", "ti_pr": "24.95", "ti_qu": "2"}
    apart = [*post(order).hits, *post(item).hits]
    together = post(order, item).hits
    assert apart == together
    assert (together[0]["event"], together[0]["order_id"]) == ("purchase", "o1")
    assert (together[0]["revenue"], together[0]["currency"]) == (49.9, "EUR")
    assert together[0]["props"].items() >= {"tax": 7.97, "city": "Köln"}.items()
    assert (together[1]["event"], together[1]["order_id"]) == ("purchase_item", "o1")
    assert together[1]["items"] == [{"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2}]
    assert "revenue" not in together[1]


def test_ecommerce_transaction() -> None:
    hit = self_describing(
        "snowplow_ecommerce_action",
        {"type": "transaction"},
        described("transaction", {"transaction_id": "o1", "revenue": 49.9, "currency": "EUR", "tax": 7.97}),
        described("product", {"id": "S1", "name": "Shoe", "price": 24.95, "quantity": 2, "currency": "EUR"}),
        described("product", {"id": "S2", "category": "Laces"}),
        described("web_page", {"id": "page-1"}),
        described("user", {"id": "c-9"}),
        uid="",
    )
    assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == ("purchase", "o1", 49.9, "EUR")
    assert hit["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2},
        {"item_id": "S2", "item_category": "Laces"},
    ]
    assert hit["user_id"] == "c-9"
    assert hit["props"].items() >= {"tax": 7.97, "web_page": {"id": "page-1"}}.items()


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("product_view", "view_item"), ("list_view", "view_item_list"), ("list_click", "select_item"),
        ("add_to_cart", "add_to_cart"), ("remove_from_cart", "remove_from_cart"), ("promo_view", "view_promotion"),
        ("promo_click", "select_promotion"), ("checkout_step", "begin_checkout"), ("trns_error", "payment_failed"),
    ],
)  # fmt: skip
def test_ecommerce_names_become_ga4s(kind: str, event: str) -> None:
    entities = (described("product", {"id": "S1", "price": 5}), described("transaction", {"revenue": 5}))
    hit = self_describing("snowplow_ecommerce_action", {"type": kind}, *entities)
    assert (hit["event"], "revenue" in hit) == (event, False)


def test_refund_and_later_steps_of_checkout() -> None:
    refund = described("refund", {"transaction_id": "o1", "refund_amount": 10, "currency": "eur"})
    hit = self_describing("snowplow_ecommerce_action", {"type": "refund"}, refund)
    assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == ("refund", "o1", 10, "EUR")
    step = self_describing(
        "snowplow_ecommerce_action", {"type": "checkout_step"}, described("checkout_step", {"step": 2})
    )
    assert (step["event"], step["props"]["checkout_step"]) == ("checkout_progress", 2)


@pytest.mark.parametrize(
    ("name", "data", "event", "props"),
    [
        ("link_click", {"targetUrl": "https://e.example/"}, "click", {"link_url": "https://e.example/"}),
        ("site_search", {"terms": ["red", "shoe"]}, "search", {"search_term": "red shoe"}),
        ("submit_form", {"formId": "f"}, "form_submit", {"form_id": "f"}),
        ("plan_chosen", {"plan": "pro"}, "plan_chosen", {"plan": "pro"}),
    ],
)
def test_self_describing_event(name: str, data: Any, event: str, props: dict[str, Any]) -> None:
    hit = self_describing(name, data)
    assert hit["event"] == event
    assert hit["props"].items() >= props.items()


def test_screen_view_has_its_name_as_title() -> None:
    assert self_describing("screen_view", {"name": "Cart"}, page="")["title"] == "Cart"


@pytest.mark.parametrize("padding", [True, False])
def test_base64_with_and_without_padding(padding: bool) -> None:
    inner = json.dumps(
        described("unstruct_event", described("plan_chosen", {"plan": "پرو"})), ensure_ascii=False
    )
    packed = urlsafe_b64encode(inner.encode()).decode()
    hit = post(VIEW | {"e": "ue", "ue_px": packed if padding else packed.rstrip("=")}).hit
    assert (hit["event"], hit["props"]["plan"]) == ("plan_chosen", "پرو")


def test_visitor_of_a_server_is_the_user_and_of_nobody_a_hash() -> None:
    known = post({name: value for name, value in VIEW.items() if name != "duid"}).hit
    assert ("visitor_id" in known, known["user_id"]) == (False, "u-1")
    bare = {name: value for name, value in VIEW.items() if name not in ("duid", "uid", "sid")}
    assert len(post(bare).hit["visitor_id"]) == 32


def test_anonymous_requests_give_no_visitor_made_of_an_address() -> None:
    bare = {name: value for name, value in VIEW.items() if name not in ("duid", "uid", "sid")}
    page = json.dumps(described("contexts", [described("web_page", {"id": "page-1"})]))
    assert post(bare | {"co": page}, SP_Anonymous="*").hit["visitor_id"] == "anonymous-page-1"
    assert post(bare, SP_Anonymous="*").hit["visitor_id"] == f"anonymous-{EID}"


def test_consent() -> None:
    for name, consent in (("consent_granted", "granted"), ("consent_withdrawn", "denied"), ("other", "")):
        event = VIEW | {"e": "ue", "ue_pr": json.dumps(described("unstruct_event", described(name, {})))}
        (found,) = post(event).parsed.events
        assert found.consent == consent


def test_mobile_session_names_the_install() -> None:
    bare = {name: value for name, value in VIEW.items() if name != "duid"}
    session = json.dumps(described("contexts", [described("client_session", {"userId": "install-1"})]))
    assert post(bare | {"co": session}).hit["visitor_id"] == "install-1"


def test_bad_event_in_a_batch_is_refused_alone_and_the_answer_is_ok() -> None:
    found = post(VIEW, 7, VIEW | {"aid": "no site!"}, {"e": "zz", "aid": "shop"})
    assert [hit["event"] for hit in found.hits] == ["page_view"]
    assert [refusal.reason for refusal in found.refusals] == ["not_object", "bad_value", "missing_field"]
    assert found.answer.body == b"ok"


@pytest.mark.parametrize("body", [b"{", b"[]", b"7"])
def test_body_that_is_none_is_a_dead_letter_and_answered_with_ok(body: bytes) -> None:
    found = judged("POST", TP2, body)
    assert (len(found.refusals), found.answer.body) == (1, b"ok")
