"""GA4: the Measurement Protocol and the browser's ``/g/collect``."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from .kit import CHROME, NOW_MS, Judged, judged

MP = "/mp/collect?measurement_id=G-SHOP&api_secret=s3cret"
PURCHASE = {
    "transaction_id": "o1", "value": 49.9, "currency": "EUR", "tax": 7.97, "coupon": "SPRING",
    "items": [{"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2}],
}  # fmt: skip


def mp(*events: Any, **body: Any) -> Judged:
    return judged(
        "POST", MP, {"client_id": "c.1", "events": list(events), **body}, User_Agent="python-requests/2"
    )


def collect(body: bytes = b"", **given: Any) -> Judged:
    shared = {
        "v": 2,
        "tid": "G-SHOP",
        "cid": "123.456",
        "sid": "1795305000",
        "dl": "https://shop.example/",
        **given,
    }
    return judged("POST", f"/g/collect?{urlencode(shared)}", body)


def test_measurement_protocol_field_by_field() -> None:
    found = mp(
        {"name": "page_view", "params": {
            "page_location": "https://shop.example/", "page_title": "Home", "page_referrer": "https://a.example/",
            "session_id": "7", "engagement_time_msec": 100, "language": "ar"}},
        user_id="u1", timestamp_micros=str((NOW_MS - 5_000) * 1_000), user_properties={"plan": {"value": "pro"}},
    )  # fmt: skip
    assert found.hit == {
        "site": "G-SHOP",
        "event": "page_view",
        "visitor_id": "c.1",
        "user_id": "u1",
        "time": NOW_MS - 5_000,
        "url": "https://shop.example/",
        "title": "Home",
        "referrer": "https://a.example/",
        "language": "ar",
        "props": {"session_id": "7", "engagement_time_msec": 100, "user_properties": {"plan": "pro"}},
        "received_time": NOW_MS,
    }
    assert (found.answer.status, found.answer.body) == (204, b"")
    assert {event.secret for event in found.parsed.events} == {"s3cret"}


def test_place_and_device_that_a_server_states() -> None:
    page = {"name": "page_view", "params": {"page_location": "https://shop.example/"}}
    place = {"city": "Tehran", "region_id": "IR-23", "country_id": "IR"}
    device = {"category": "mobile", "language": "fa", "screen_resolution": "1280x2856"}
    hit = mp(page, user_location=place, device=device).hit
    assert (hit["country"], hit["language"], hit["screen"]) == ("IR", "fa", "1280x2856")
    assert mp(page, user_location="IR", device=None).hit.keys().isdisjoint({"country", "language", "screen"})


def test_purchase_and_refund() -> None:
    order, back = mp({"name": "purchase", "params": PURCHASE}, {"name": "refund", "params": PURCHASE}).hits
    for hit in (order, back):
        assert (hit["order_id"], hit["revenue"], hit["currency"]) == ("o1", 49.9, "EUR")
        assert hit["items"] == PURCHASE["items"]
        assert hit["props"] == {"tax": 7.97, "coupon": "SPRING"}


def test_value_of_other_events_is_no_revenue() -> None:
    hit = mp({"name": "add_to_cart", "params": {"value": 5, "currency": "EUR"}}).hit
    assert ("revenue" in hit, hit["props"]) == (False, {"value": 5})


@pytest.mark.parametrize(
    ("micros", "time"),
    [
        ((NOW_MS - 72 * 3_600_000) * 1_000, NOW_MS - 72 * 3_600_000),
        ((NOW_MS - 72 * 3_600_000 - 1) * 1_000, NOW_MS),
        (NOW_MS * 1_000, NOW_MS),
        ((NOW_MS + 1) * 1_000, NOW_MS),
        ("x", NOW_MS),
    ],
)
def test_time_within_72_hours(micros: Any, time: int) -> None:
    assert mp({"name": "a", "timestamp_micros": micros}).hit["time"] == time


def test_events_without_a_time_stay_in_their_order() -> None:
    assert [hit["time"] for hit in mp({"name": "a"}, {"name": "b"}).hits] == [NOW_MS - 1, NOW_MS]
    assert [hit["time"] for hit in collect(b"en=a\nen=b\nen=c").hits] == [NOW_MS - 2, NOW_MS - 1, NOW_MS]


def test_campaign_is_taken_as_a_whole() -> None:
    params = {"source": "news", "medium": "email", "campaign": "spring", "term": "t", "content": "c"}
    hit = mp({"name": "campaign_details", "params": {**params, "campaign_id": 7}}).hit
    assert hit["campaign"] == {
        "source": "news", "medium": "email", "name": "spring", "id": "7", "term": "t", "content": "c",
    }  # fmt: skip
    assert "campaign" not in mp({"name": "search", "params": {"term": "red"}}).hit


def test_bad_events_are_refused_one_by_one() -> None:
    found = mp({"name": "a"}, {}, 7)
    assert [hit["event"] for hit in found.hits] == ["a"]
    assert [refusal.reason for refusal in found.refusals] == ["missing_field", "not_object"]
    assert found.answer.status == 204
    assert [r.reason for r in judged("POST", MP, b"{").refusals] == ["not_json"]


def test_debug_says_what_is_missing_and_records_nothing() -> None:
    target = MP.replace("/mp", "/debug/mp")
    found = judged("POST", target, {"events": []})
    assert list(found.parsed.events) == []
    paths = [one["fieldPath"] for one in json.loads(found.answer.body)["validationMessages"]]
    assert paths == ["client_id", "events"]
    good = judged("POST", target, {"client_id": "c", "events": [{"name": "a"}]})
    assert json.loads(good.answer.body) == {"validationMessages": []}


def test_collect_of_one_event_field_by_field() -> None:
    found = collect(
        en="page_view", dt="Home", dr="https://a.example/", ul="fa-ir", sr="1920x1080", sct=2, seg=1, _et=1200, _p=1,
        uid="u1", gcs="G111", **{"ep.plan": "pro", "epn.depth": "3.5", "up.tier": "gold"},
    )  # fmt: skip
    assert found.hit == {
        "site": "G-SHOP",
        "event": "page_view",
        "visitor_id": "123.456",
        "user_id": "u1",
        "time": NOW_MS,
        "url": "https://shop.example/",
        "title": "Home",
        "referrer": "https://a.example/",
        "language": "fa-ir",
        "screen": "1920x1080",
        "user_agent": CHROME,
        "props": {
            "plan": "pro", "depth": 3.5, "session_id": "1795305000", "session_number": "2",
            "engagement_time_msec": 1200, "user_properties": {"tier": "gold"},
        },
        "received_time": NOW_MS,
    }  # fmt: skip
    assert (found.answer.status, found.answer.body) == (204, b"")
    assert found.parsed.events[0].consent == "granted"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_lines_of_the_body_are_events_and_beat_what_they_share(end: str) -> None:
    body = end.join(
        ["en=scroll&epn.percent_scrolled=90", "en=page_view&dl=https%3A%2F%2Fshop.example%2Fb&dt=B", ""]
    )
    scroll, view = collect(body.encode()).hits
    assert (scroll["event"], scroll["url"]) == ("scroll", "https://shop.example/")
    assert scroll["props"]["percent_scrolled"] == 90
    assert (view["event"], view["url"], view["title"]) == ("page_view", "https://shop.example/b", "B")


def test_collect_purchase_with_items() -> None:
    hit = collect(
        en="purchase", cu="EUR", pr2="idS2~pr5", pr1="idS1~nmShoe~caShoes~pr24.95~qt2~k0color~v0red",
        **{"epn.value": "49.90", "ep.transaction_id": "o1", "epn.tax": "7.97", "ep.coupon": "SPRING"},
    ).hit  # fmt: skip
    assert (hit["order_id"], hit["revenue"], hit["currency"]) == ("o1", 49.9, "EUR")
    assert hit["items"] == [
        {
            "item_id": "S1",
            "item_name": "Shoe",
            "item_category": "Shoes",
            "price": 24.95,
            "quantity": 2,
            "color": "red",
        },
        {"item_id": "S2", "price": 5},
    ]
    assert hit["props"].items() >= {"tax": 7.97, "coupon": "SPRING"}.items()


def test_collect_campaign_and_ignored_referrer() -> None:
    hit = collect(en="page_view", cs="news", cm="email", cn="spring", dr="https://a.example/", ir=1).hit
    assert hit["campaign"] == {"source": "news", "medium": "email", "name": "spring"} | hit["campaign"]
    assert "referrer" not in hit


@pytest.mark.parametrize(
    ("gcs", "consent"), [("G100", "denied"), ("G110", "denied"), ("G101", "granted"), ("", "")]
)
def test_consent(gcs: str, consent: str) -> None:
    assert collect(en="page_view", gcs=gcs).parsed.events[0].consent == consent


def test_collect_without_client_id_makes_a_visitor_of_the_day() -> None:
    assert len(collect(en="page_view", cid="").hit["visitor_id"]) == 32
