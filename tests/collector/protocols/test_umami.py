"""Umami: what its script and servers send, field by field, and what they are answered."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from .kit import NOW_MS, Judged, judged, request

SITE = "94db1cb1-74f4-4a40-ad6c-962362670409"
PAYLOAD = {
    "website": SITE, "hostname": "shop.example", "url": "https://shop.example/a?utm_source=news", "title": "A",
    "referrer": "https://search.example/", "language": "fa-IR", "screen": "1920x1080",
}  # fmt: skip


def send(kind: str = "event", **payload: Any) -> Judged:
    return judged(
        "POST", "/api/send", {"type": kind, "payload": {**PAYLOAD, **payload}}, Authorization="Bearer None"
    )


def test_page_view_field_by_field() -> None:
    found = send()
    assert found.hit == {
        "site": SITE,
        "event": "page_view",
        "visitor_id": found.hit["visitor_id"],
        "url": PAYLOAD["url"],
        "referrer": "https://search.example/",
        "title": "A",
        "language": "fa-IR",
        "screen": "1920x1080",
        "user_agent": found.hit["user_agent"],
        "received_time": NOW_MS,
    }
    assert (found.answer.status, json.loads(found.answer.body)) == (200, {"disabled": False})


def test_paths_get_their_host() -> None:
    hit = send(url="/b", referrer="/a").hit
    assert (hit["url"], hit["referrer"]) == ("https://shop.example/b", "https://shop.example/a")


def test_event_with_data_and_revenue() -> None:
    data = {"order_id": "o1", "revenue": 49.9, "currency": "EUR", "plan": "pro", "sizes": [1, 2]}
    hit = send(name="Purchase", data=data, tag="b").hit
    assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == ("purchase", "o1", 49.9, "EUR")
    assert hit["props"] == {"tag": "b", "plan": "pro", "sizes": [1, 2]}


def test_identify_makes_the_user_known() -> None:
    hit = send("identify", id="u1", data={"plan": "pro"}).hit
    assert (hit["event"], hit["user_id"], hit["props"]) == ("identify", "u1", {"plan": "pro"})
    assert send(id="u1").hit["user_id"] == "u1"


def test_visitor_is_the_same_with_and_without_id() -> None:
    assert (
        send().hit["visitor_id"] == send(id="u1").hit["visitor_id"] != send(website="other").hit["visitor_id"]
    )


def test_visitor_lasts_a_month() -> None:
    body = {"type": "event", "payload": PAYLOAD}

    def visitor(**salts: str) -> Any:
        return Judged(replace(request("POST", "/api/send", body), **salts)).hit["visitor_id"]

    assert visitor(day_salt="tomorrow") == visitor() != visitor(month_salt="next")


def test_server_side_fields() -> None:
    hit = send(ip="198.51.100.9", userAgent="Mozilla/5.0 X", timestamp=NOW_MS // 1_000 - 60).hit
    assert (hit["ip"], hit["user_agent"], hit["time"]) == ("198.51.100.9", "Mozilla/5.0 X", NOW_MS - 60_000)
    assert hit["visitor_id"] != send().hit["visitor_id"]


def test_performance() -> None:
    hit = send("performance", lcp=1200.5, cls=0).hit
    assert (hit["event"], hit["props"]) == ("web_vitals", {"lcp": 1200.5, "cls": 0})


def test_batch() -> None:
    good = {"type": "event", "payload": PAYLOAD}
    found = judged("POST", "/api/batch", [good, 7, {"type": "event", "payload": {}}, good])
    assert len(found.hits) == 2
    answer = json.loads(found.answer.body)
    assert (answer["size"], answer["processed"], answer["errors"]) == (4, 2, 2)
    assert [one["index"] for one in answer["details"]] == [1, 2]


@pytest.mark.parametrize("body", [b"{", b"7", b"", b"{}"])
def test_what_is_none_is_400(body: bytes) -> None:
    found = judged("POST", "/api/send", body)
    assert (found.answer.status, found.hits) == (400, [])
    assert len(found.refusals) == (1 if body else 0)
