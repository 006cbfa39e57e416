"""Segment, RudderStack and Jitsu: keys, pixels, what the scripts ask for, and answers."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from .kit import judged

AUTH = "Basic " + b64encode(b"shop:").decode()


@pytest.mark.parametrize(
    ("headers", "target", "body", "site"),
    [
        ({"Authorization": AUTH}, "/v1/t?writeKey=query", {"writeKey": "body"}, "shop"),
        ({"X-Write-Key": "jitsu:secret"}, "/v1/t?writeKey=query", {"writeKey": "body"}, "jitsu"),
        ({}, "/v1/t?writeKey=query", {"writeKey": "body"}, "query"),
        ({}, "/v1/t", {"writeKey": "body:***"}, "body"),
        ({"Authorization": "Bearer None"}, "/v1/t", {"writeKey": "body"}, "body"),
        ({"Authorization": "Basic !!"}, "/v1/t", {"writeKey": "body"}, "body"),
    ],
)
def test_the_key_is_found_in_this_order(
    headers: dict[str, str], target: str, body: dict[str, str], site: str
) -> None:
    asked = {name.replace("-", "_"): value for name, value in headers.items()}
    assert judged("POST", target, {"userId": "u", "event": "e", **body}, **asked).hit["site"] == site


def test_key_of_jitsu_is_an_id_and_a_secret_that_the_body_masks() -> None:
    def key(**headers: str) -> tuple[str, str]:
        body = {"userId": "u", "event": "e", "writeKey": "id:***"}
        (event,) = judged("POST", "/api/s/track", body, **headers).parsed.events
        return event.key, event.secret

    assert key(X_Write_Key="id:secret") == ("id", "secret")
    assert key() == ("id", "")


@pytest.mark.parametrize(
    ("target", "event"),
    [
        ("/v1/pixel/track?data={b64}", "e"),
        ("/v1/pixel/track?data={json}", "e"),
        ("/api/px/track?data={b64}", "e"),
        ("/pixel/v1/track?writeKey=shop&anonymousId=%22a%22&event=e", "e"),
        ("/pixel/v1/page?writeKey=shop&anonymousId=a&name=N", "page_view"),
    ],
)
def test_pixels_answer_with_an_image(target: str, event: str) -> None:
    raw = b'{"writeKey":"shop","anonymousId":"a","event":"e"}'
    result = judged("GET", target.format(b64=b64encode(raw).decode().rstrip("="), json=raw.decode()))
    assert (result.answer.status, result.answer.content_type) == (200, "image/gif")
    hit = result.hit
    assert (hit["site"], hit["visitor_id"], hit["event"]) == ("shop", "a", event)


def test_pixel_that_says_nothing_is_an_image_and_a_dead_letter() -> None:
    result = judged("GET", "/v1/pixel/track?data=%25%25")
    assert result.answer.content_type == "image/gif"
    assert [refusal.reason for refusal in result.refusals] == ["not_json"]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"7", {"batch": ["x"]}, {"writeKey": "shop"}])
def test_request_without_a_hit_is_400(body: Any) -> None:
    result = judged("POST", "/v1/track", body)
    assert result.answer.status == 400
    assert result.hits == []


@pytest.mark.parametrize("body", [[], {"batch": [], "writeKey": "shop"}])
def test_empty_batch_is_no_error(body: Any) -> None:
    assert judged("POST", "/v1/batch", body).answer.status == 200


@pytest.mark.parametrize(
    ("headers", "protocol"),
    [({"Origin": "http://shop.example"}, "http"), ({"Origin": "https://shop.example"}, "https"),
     ({"Origin": "http://x", "X-Forwarded-Proto": "https"}, "https"), ({}, "https")],
)  # fmt: skip
def test_settings_lead_back_to_where_they_came_from(headers: dict[str, str], protocol: str) -> None:
    asked = {name.replace("-", "_"): value for name, value in headers.items()}
    answer = judged("GET", "/v1/projects/shop/settings", Host="collect.example:8088", **asked).answer
    target = msgspec.json.decode(answer.body)["integrations"]["Segment.io"]
    assert (target["apiKey"], target["apiHost"], target["protocol"]) == (
        "shop", "collect.example:8088/v1", protocol
    )  # fmt: skip


def test_settings_do_not_repeat_a_host_that_is_none() -> None:
    answer = judged("GET", "/v1/projects/shop/settings", Host="evil.example/<script>").answer
    assert b"evil" not in answer.body


def test_rudderstack_source_is_on() -> None:
    answer = judged("GET", "/sourceConfig/?p=npm&writeKey=shop").answer
    source = msgspec.json.decode(answer.body)["source"]
    assert (source["enabled"], source["writeKey"], source["destinations"]) == (True, "shop", [])
