"""PostHog: requests as its clients send them, in every wrapping, field by field."""

import gzip
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from pipeline.collector.protocols.encodings import from_lz64

from .kit import CHROME, NOW_MS, judged

ISO = "2026-11-22T00:00:00.000Z"  # NOW_MS
UUID = "01a20096-a5cb-71f6-a23f-f8db1b063c85"
DEVICE = "01a20096-0000-7000-8000-000000000001"
PROPERTIES = {
    "$os": "Linux", "$browser": "Chrome", "$device_type": "Desktop", "$lib": "web", "$lib_version": "1.449.2",
    "$current_url": "https://shop.example/pricing?utm_source=news", "$host": "shop.example", "$pathname": "/pricing",
    "$raw_user_agent": CHROME, "$browser_language": "de-DE", "$screen_width": 800, "$screen_height": 600,
    "$viewport_width": 780, "utm_source": "old", "$referrer": "https://www.example.org/", "distinct_id": DEVICE,
    "$device_id": DEVICE, "$session_id": "s1", "$session_entry_url": "https://shop.example/", "token": "shop",
    "title": "Pricing", "$insert_id": "i1", "$time": 1795305598.5, "$sdk_debug_x": 1, "$timezone": "Europe/Berlin",
}  # fmt: skip


def event(name: str = "$pageview", **fields: Any) -> dict[str, Any]:
    """As posthog-js sends one; ``properties`` are added to its own."""
    properties = {**PROPERTIES, **fields.pop("properties", {})}
    return {
        "uuid": UUID, "event": name, "timestamp": "2026-11-21T23:59:58.500Z", "properties": properties, **fields
    }  # fmt: skip


def sent(*events: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The hit of the first event of a batch."""
    hits = judged("POST", "/batch/", {"api_key": "shop", "batch": events, **fields}).hits
    return hits[0]


def test_page_view_of_the_browser() -> None:
    body = {"api_key": "shop", "batch": [event()], "sent_at": ISO}
    raw = gzip.compress(msgspec.json.encode(body))
    result = judged("POST", "/e/", raw, Content_Type="text/plain")
    assert (result.answer.status, result.answer.body) == (200, b'{"status":"Ok"}')
    hit = result.hit
    assert hit.pop("received_time") == NOW_MS
    assert hit == {
        "site": "shop",
        "event": "page_view",
        "hit_id": UUID,
        "visitor_id": DEVICE,
        "time": NOW_MS - 1_500,
        "sent_time": NOW_MS,
        "url": "https://shop.example/pricing?utm_source=news",
        "title": "Pricing",
        "referrer": "https://www.example.org/",
        "user_agent": CHROME,
        "language": "de-DE",
        "screen": "800x600",
        "props": {"$session_id": "s1", "$timezone": "Europe/Berlin"},
    }


ONE = msgspec.json.encode(event())
B64 = b64encode(ONE).decode()
LZ64 = (
    "N4IgpgbmB2AuIC4QBIAOBDA5pAlmA7iADQioBOA9qmGbHgM6KiwUDWMiI9AFlcSABMc9OtADGsAPo4BnWSWQDcYsNNlJ5IOrAA2YToGYwQ"
    "IJggRjAQAX3NA="
)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/e/", ONE),
        ("/e/?compression=gzip-js", gzip.compress(ONE)),
        ("/e/", gzip.compress(ONE)),
        ("/e/?compression=base64", b"data=" + quote(B64).encode()),
        ("/e/?ip=1&_=1795305600000&ver=1.20.0", b"data=" + B64.replace("+", " ").encode()),
        ("/e/", b"data=" + quote(LZ64).encode() + b"&compression=lz64"),
        ("/e/", b"compression=lz64&data=" + quote(LZ64).encode()),
        ("/e/", b64encode(b64encode(ONE))),
        ("/e/", b64encode(gzip.compress(ONE))),
        ("/e/", b"data=" + quote(ONE.decode()).encode()),
        ("/capture", ONE),
        ("/track/", b"[" + ONE + b"]"),
        ("/i/v0/e/", ONE),
        ("/batch", b'{"api_key":"shop","batch":[' + ONE + b"]}"),
        (f"/e?data={quote(B64)}", b""),
    ],
)
def test_every_wrapping_is_undone(target: str, body: bytes) -> None:
    method = "POST" if body else "GET"
    hit = judged(method, target, body).hit
    assert (hit["site"], hit["event"]) == ("shop", "page_view")


def test_lz_string_of_another_language_and_of_nothing() -> None:
    text = from_lz64(LZ64, max_chars=1_000)
    assert '"title":"سفر"' in text
    assert from_lz64(LZ64, max_chars=len(text)) == text
    assert from_lz64("Q===", max_chars=9) == ""
    assert from_lz64(LZ64, max_chars=len(text) - 1) == ""
    assert from_lz64(LZ64[:-8], max_chars=1_000) == ""
    assert from_lz64("%%%", max_chars=9) == ""


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("$pageleave", {}, "user_engagement"),
        ("$screen", {}, "screen_view"),
        ("$autocapture", {"$event_type": "click"}, "click"),
        ("$autocapture", {"$event_type": "submit"}, "form_submit"),
        ("$autocapture", {}, "autocapture"),
        ("$web_vitals", {}, "web_vitals"),
        ("$set", {}, "identify"),
        ("order_completed", {}, "purchase"),
        ("Plan Chosen", {}, "Plan Chosen"),
    ],
)
def test_names(name: str, properties: dict[str, Any], expected: str) -> None:
    assert sent(event(name, properties=properties))["event"] == expected


def test_order() -> None:
    products = [{"product_id": "p1", "name": "Mug", "price": 24.95, "quantity": 2}]
    properties = {
        "order_id": "o-1001",
        "revenue": 49.90,
        "currency": "EUR",
        "products": products,
        "plan": "pro",
    }
    hit = sent(event("Order Completed", properties=properties))
    assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == (
        "purchase", "o-1001", 49.9, "EUR"
    )  # fmt: skip
    assert hit["items"] == [{"item_id": "p1", "item_name": "Mug", "price": 24.95, "quantity": 2}]
    assert hit["props"]["plan"] == "pro"


@pytest.mark.parametrize(
    ("one", "visitor", "user"),
    [
        (event(), DEVICE, None),
        (event(distinct_id="u1"), DEVICE, "u1"),
        (event(properties={"$user_id": "u1", "distinct_id": "u1"}), DEVICE, "u1"),
        (event("$identify", distinct_id="u1", properties={"$anon_distinct_id": DEVICE}), DEVICE, "u1"),
        ({"event": "$identify", "distinct_id": "u1", "properties": {"$anon_distinct_id": "a1"}}, "a1", "u1"),
        ({"event": "e", "distinct_id": 42}, None, "42"),
        ({"event": "e", "properties": {"distinct_id": "u1"}}, None, "u1"),
        ({"event": "e", "distinct_id": "a1", "properties": {"$process_person_profile": False}}, "a1", None),
        ({"event": "$create_alias", "distinct_id": "u1", "properties": {"alias": "a1"}}, "a1", "u1"),
        (
            {
                "event": "$create_alias",
                "distinct_id": "a1",
                "properties": {"alias": "u1", "$lib": "posthog-python"},
            },
            "a1",
            "u1",
        ),
        ({"event": "$create_alias", "distinct_id": "u1", "properties": {"alias": "u1"}}, None, "u1"),
    ],
)
def test_who_it_was(one: dict[str, Any], visitor: str | None, user: str | None) -> None:
    hit = sent(one)
    assert (hit.get("visitor_id"), hit.get("user_id")) == (visitor, user)


def test_group_is_nobody_and_the_rest_of_its_batch_is_kept() -> None:
    group = {
        "event": "$groupidentify",
        "distinct_id": "$company_acme",
        "properties": {"$group_type": "company"},
    }
    result = judged("POST", "/batch/", {"api_key": "shop", "batch": [group, event(), {"event": "e"}]})
    assert result.answer.status == 200
    assert [hit["event"] for hit in result.hits] == ["page_view"]
    assert [refusal.field for refusal in result.refusals] == ["visitor_id"]
    only_group = judged("POST", "/batch/", {"api_key": "shop", "batch": [group]})
    assert (only_group.answer.status, only_group.published) == (200, [])


@pytest.mark.parametrize(
    ("one", "target", "body", "times"),
    [
        ({}, "/batch/", {"sent_at": ISO}, (NOW_MS - 1_500, NOW_MS)),
        ({}, "/batch/", {}, (NOW_MS - 1_500, None)),
        ({}, f"/e/?_={NOW_MS}", None, (NOW_MS - 1_500, NOW_MS)),
        ({}, f"/e/?_={NOW_MS // 1_000}", None, (NOW_MS - 1_500, None)),
        ({"offset": 2_000}, "/batch/", {"sent_at": ISO}, (NOW_MS - 1_500, NOW_MS)),
        ({"offset": 2_000, "timestamp": None, "properties": {"$time": None}}, "/batch/", {"sent_at": ISO},
         (NOW_MS - 2_000, None)),
        ({"offset": -5, "timestamp": None, "properties": {"$time": None}}, "/batch/", {}, (NOW_MS, None)),
        ({"timestamp": None}, "/batch/", {"sent_at": ISO}, (NOW_MS - 1_500, NOW_MS)),  # $time, in seconds
        ({"properties": {"$ignore_sent_at": True}}, "/batch/", {"sent_at": ISO}, (NOW_MS - 1_500, None)),
    ],
)  # fmt: skip
def test_time(one: dict[str, Any], target: str, body: Any, times: tuple[int, int | None]) -> None:
    found = event(**one)
    asked = found if body is None else {"api_key": "shop", "batch": [found], **body}
    hit = judged("POST", target, asked).hit
    assert (hit["time"], hit.get("sent_time")) == times


def test_single_page_app_comes_from_the_page_before() -> None:
    hit = sent(event(properties={"$prev_pageview_pathname": "/landing"}))
    assert hit["referrer"] == "https://shop.example/landing"
    assert "referrer" not in sent(event(properties={"$referrer": "$direct"}))


def test_campaign_of_the_properties_is_for_events_without_a_url() -> None:
    one = {"event": "e", "distinct_id": "u", "properties": {"utm_source": "news", "utm_campaign": "spring"}}
    assert sent(one)["campaign"] == {"source": "news", "name": "spring"}
    assert "campaign" not in sent(event())


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [("Our NPS", "9", (9, 10, "nps")), ("CSAT after chat", 4, (4, 5, "csat")), ("Mood", 3, (3, None, None)),
     ("CES: how easy was it?", 7, (1, 7, "ces")), ("CES (effort)", 7, (7, 7, "ces")),
     ("NPS", "great", (None, 10, "nps"))],
)  # fmt: skip
def test_survey(name: str, answer: Any, expected: tuple[Any, Any, Any]) -> None:
    hit = sent(event("survey sent", properties={"$survey_name": name, "$survey_response": answer}))
    assert hit["event"] == "survey_response"
    assert (hit.get("score"), hit.get("scale"), hit["props"].get("metric")) == expected


def test_survey_whose_answers_are_named_by_their_questions() -> None:
    asked = {
        "$survey_name": "NPS",
        "$survey_submission_id": "s1",
        "$survey_questions": [{"id": "q1"}, {"id": "q2"}],
    }

    def told(**answers: Any) -> dict[str, Any]:
        named = {f"$survey_response_{question}": answer for question, answer in answers.items()}
        return sent(event("survey sent", properties={**named, **asked}))

    first, more = told(q1=3), told(q2="9", q1="3")
    assert (first["score"], more["score"], more["scale"]) == (3, 3, 10)
    assert first["hit_id"] == more["hit_id"], "what is told again with more answers"
    assert more["props"]["$survey_response_q2"] == "9"
    assert "score" not in told(q1="great")
    assert told(q1="great")["hit_id"] != first["hit_id"]
    assert told(other=8)["score"] == 8
