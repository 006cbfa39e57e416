"""PostHog: version one, turned away requests, and what the script asks for."""

import gzip
from base64 import b64encode

import msgspec
import pytest

from .kit import NOW_MS, judged

ISO = "2026-11-22T00:00:00.000Z"  # NOW_MS
EVENT = {"event": "e", "distinct_id": "u1", "token": "shop"}


def test_version_one_says_a_word_about_each_event() -> None:
    batch = [
        {"event": "Order Completed", "uuid": "u-1", "distinct_id": "u1", "timestamp": ISO,
         "options": {"disable_skew_correction": True}, "properties": {"revenue": 49.9}},
        {"event": "e", "uuid": "u-2", "distinct_id": "a1", "timestamp": ISO,
         "options": {"process_person_profile": False}, "properties": {}},
        {"event": "", "uuid": "u-3", "distinct_id": "a1", "properties": {}},
    ]  # fmt: skip
    result = judged(
        "POST",
        "/i/v1/analytics/events",
        {"created_at": "2026-11-21T20:00:00Z", "batch": batch},
        Authorization="Bearer shop",
        PostHog_Request_Timestamp=ISO,
    )
    assert result.answer.status == 200
    assert msgspec.json.decode(result.answer.body) == {
        "results": {
            "u-1": {"result": "ok"},
            "u-2": {"result": "ok"},
            "u-3": {"result": "drop", "details": "missing_field"},
        }
    }
    order, other = result.hits
    assert (order["site"], order["user_id"], order["revenue"], order.get("sent_time")) == (
        "shop", "u1", 49.9, None
    )  # fmt: skip
    assert (other["visitor_id"], other["sent_time"]) == ("a1", NOW_MS)


def test_several_tokens_are_turned_away_whole() -> None:
    body = [
        {"event": "e", "token": "a", "distinct_id": "u"},
        {"event": "e", "token": "b", "distinct_id": "u"},
    ]
    result = judged("POST", "/e/", body)
    assert (result.answer.status, result.published) == (400, [])
    assert result.parsed.rejected


def test_personal_key_is_turned_away() -> None:
    result = judged("POST", "/batch/", {"api_key": "phx_secret", "batch": [EVENT]})
    assert (result.answer.status, result.published) == (401, [])


@pytest.mark.parametrize("body", [b"", b"{", b"data=%%%", b"\x1f\x8b\x08broken", b"7"])
def test_request_without_an_event_is_400(body: bytes) -> None:
    result = judged("POST", "/e/", body)
    assert result.answer.status == 400
    assert result.hits == []


def test_bomb_inside_base64_does_not_inflate() -> None:
    bomb = gzip.compress(b"[" + b" " * 5_000_000 + b"]")
    result = judged("POST", "/e/", b64encode(bomb))
    assert (result.answer.status, result.hits) == (400, [])


def test_beacon_wants_no_body() -> None:
    assert judged("POST", "/e/?beacon=1", EVENT).answer.status == 204


def test_batch_of_segment_at_the_same_path_is_segments() -> None:
    body = {"writeKey": "shop", "batch": [{"type": "track", "event": "e", "userId": "u", "messageId": "m"}]}
    assert judged("POST", "/batch", body).hit["hit_id"] == "m"


def test_what_the_script_asks_for_switches_everything_off() -> None:
    config = msgspec.json.decode(judged("GET", "/array/shop/config").answer.body)
    assert (config["token"], config["sessionRecording"], config["supportedCompression"][0]) == (
        "shop", False, "gzip"
    )  # fmt: skip
    script = judged("GET", "/array/shop/config.js").answer
    assert script.content_type == "text/javascript"
    assert b"_POSTHOG_REMOTE_CONFIG" in script.body
    assert msgspec.json.decode(judged("POST", "/flags/?v=2", b"{}").answer.body)["flags"] == {}
    assert judged("POST", "/s/?compression=gzip-js", b"x").published == []
    assert judged("GET", "/static/1.449.2/surveys.js").answer.content_type == "text/javascript"
