"""Surveys: Typeform and Delighted, signed, and a form of one's own."""

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from .kit import NOW_MS, Judged, judged
from .signed_kit import SECRET, Shop, judged_for

FIELDS = [
    {"id": "f1", "ref": "recommend", "type": "nps", "title": "Would you recommend us?", "properties": {}},
    {"id": "f2", "ref": "csat_overall", "type": "opinion_scale", "title": "How was it?",
     "properties": {"steps": 5, "start_at_one": True}},
    {"id": "f3", "ref": "stars", "type": "rating", "title": "Stars", "properties": {"steps": 3}},
    {"id": "f4", "ref": "why", "type": "long_text", "title": "Why?"},
    {"id": "f5", "ref": "mail", "type": "email", "title": "Mail"},
    {"id": "f6", "ref": "people", "type": "number", "title": "How many are you?"},
    {"id": "f7", "ref": "effort ces", "type": "opinion_scale", "title": "Effort", "properties": {"steps": 8}},
]  # fmt: skip
ANSWERS = [
    {"type": "number", "number": 9, "field": {"id": "f1", "type": "nps", "ref": "recommend"}},
    {"type": "number", "number": 4, "field": {"id": "f2", "type": "opinion_scale", "ref": "csat_overall"}},
    {"type": "number", "number": 2, "field": {"id": "f3", "type": "rating", "ref": "stars"}},
    {"type": "text", "text": "fast", "field": {"id": "f4", "type": "long_text", "ref": "why"}},
    {"type": "email", "email": "A@b.example", "field": {"id": "f5", "type": "email"}},
    {"type": "number", "number": 3, "field": {"id": "f6", "type": "number", "ref": "people"}},
    {"type": "number", "number": 0, "field": {"id": "f7", "type": "opinion_scale"}},
]


def typeform(secret: bytes = SECRET, **fields: Any) -> Judged:
    response = {
        "form_id": "lT4Z3j", "token": "a3a12ec67a1365927098a606107fac15", "submitted_at": "2026-11-21T23:59:00Z",
        "hidden": {"user_id": "u1", "order_id": "o1", "utm_source": "news", "table": "7"},
        "definition": {"fields": FIELDS}, "answers": ANSWERS, **fields,
    }  # fmt: skip
    body = msgspec.json.encode({"event_id": "e", "event_type": "form_response", "form_response": response})
    signature = "sha256=" + b64encode(hmac.new(secret, body, sha256).digest()).decode()
    return judged_for(Shop(), "POST", "/webhooks/typeform/shop", body, Typeform_Signature=signature)


def delighted(kind: str, data: dict[str, Any], secret: bytes = SECRET) -> Judged:
    person = {"id": "1", "email": "A@b.example"}
    body = msgspec.json.encode(
        {"event_type": kind, "event_id": "e1", "event_data": {"id": "r1", "person": person, **data}}
    )
    signature = "sha256=" + hmac.new(secret, body, sha256).hexdigest()
    return judged_for(
        Shop(), "POST", "/webhooks/delighted/shop", body, X_Delighted_Webhook_Signature=signature
    )


def test_typeform_has_a_hit_for_each_score() -> None:
    result = typeform()
    assert result.answer.status == 200
    nps, csat, stars, effort = result.hits
    assert {hit["event"] for hit in result.hits} == {"survey_response"}
    scores = [(hit["props"]["metric"], hit["score"], hit["scale"]) for hit in result.hits]
    assert scores == [("nps", 9, 10), ("csat", 4, 5), ("csat", 2, 3), ("ces", 0, 7)]
    assert (nps["user_id"], nps["order_id"], nps["time"]) == ("u1", "o1", NOW_MS - 60_000)
    assert nps["campaign"] == {"source": "news"}
    assert nps["props"] == {
        "provider": "typeform",
        "form": "lT4Z3j",
        "utm_source": "news",
        "table": "7",
        "metric": "nps",
        "question": "Would you recommend us?",
        "answers": {"Why?": "fast", "Mail": "A@b.example", "How many are you?": 3},
    }
    assert "answers" not in csat["props"]
    assert len({hit["hit_id"] for hit in result.hits}) == 4
    assert stars["hit_id"] == typeform().hits[2]["hit_id"]
    assert effort["props"]["question"] == "Effort"


@pytest.mark.parametrize(
    ("hidden", "answers", "who"),
    [
        ({"visitor_id": "v"}, ANSWERS, ("v", None)),
        ({}, ANSWERS, (None, "a@b.example")),
        ({}, ANSWERS[:1], ("a3a12ec67a1365927098a606107fac15", None)),
    ],
)
def test_typeform_respondent(
    hidden: dict[str, str], answers: list[Any], who: tuple[str | None, str | None]
) -> None:
    hit = typeform(hidden=hidden, answers=answers).hits[0]
    assert (hit.get("visitor_id"), hit.get("user_id")) == who


def test_typeform_without_a_score_is_a_response_all_the_same() -> None:
    hit = typeform(answers=ANSWERS[3:4]).hit
    assert ("score" in hit, hit["props"]["answers"]) == (False, {"Why?": "fast"})


def test_part_of_a_response_is_none_yet() -> None:
    body = b'{"event_type":"form_response_partial","form_response":{"answers":[]}}'
    signature = "sha256=" + b64encode(hmac.new(SECRET, body, sha256).digest()).decode()
    result = judged_for(Shop(), "POST", "/webhooks/typeform/shop", body, Typeform_Signature=signature)
    assert (result.answer.status, result.published) == (200, [])


@pytest.mark.parametrize(
    ("kind", "score", "expected"),
    [
        ("nps", 10, ("nps", 10, 10)), ("csat", 4, ("csat", 4, 5)), ("ces", 5, ("ces", 1, 5)),
        ("ces7", 1, ("ces", 7, 7)),
        ("stars", 5, ("csat", 5, 5)), ("thumbs", 1, ("thumbs", 1, 1)), ("new_kind", 3, ("new_kind", 3, None)),
    ],
)  # fmt: skip
def test_delighted(kind: str, score: int, expected: tuple[str, int, int | None]) -> None:
    data = {"survey_type": kind, "score": score, "comment": None, "created_at": NOW_MS // 1_000}
    hit = delighted("survey_response.created", data).hit
    assert (hit["props"]["metric"], hit["score"], hit.get("scale")) == expected
    assert (hit["user_id"], hit["time"]) == ("a@b.example", NOW_MS)


@pytest.mark.parametrize(
    ("ref", "title", "score"),
    [
        ("ces", "How easy was it?", 2),
        ("ces_effort", "How much effort was it?", 4),
        ("easy", "Ease of use", 4),
    ],
)
def test_ease_is_turned_into_effort(ref: str, title: str, score: int) -> None:
    properties = {"steps": 5, "start_at_one": True}
    field = {"id": "f", "ref": ref, "title": title, "type": "opinion_scale", "properties": properties}
    hit = typeform(
        definition={"fields": [field]}, answers=[{"type": "number", "number": 4, "field": {"id": "f"}}]
    ).hit
    assert hit["score"] == score
    assert hit["props"].get("score_given") == (4 if score == 2 else None)


def test_form_may_say_that_it_asks_for_ease() -> None:
    hit = judged("POST", "/survey/shop", b"metric=ces&score=7&direction=ease&user_id=u").hit
    assert (hit["score"], hit["scale"], hit["props"]["score_given"]) == (1, 7, 7)
    assert judged("POST", "/survey/shop", b"metric=ces&score=7&user_id=u").hit["score"] == 7


def test_delighted_update_is_not_counted_again() -> None:
    data = {
        "survey_type": "nps",
        "score": 3,
        "created_at": NOW_MS // 1_000,
        "person_properties": {"user_id": "u1"},
    }
    created = delighted("survey_response.created", data).hit
    updated = delighted(
        "survey_response.updated", {**data, "comment": "slow", "updated_at": NOW_MS // 1_000}
    ).hit
    assert created["hit_id"] != updated["hit_id"]
    assert ("score" in updated, updated["props"]["score"], updated["props"]["comment"]) == (False, 3, "slow")
    assert updated["user_id"] == "u1"


def test_delighted_unsubscription_and_what_is_unknown() -> None:
    assert delighted("unsubscribe.created", {}).hit["event"] == "email_unsubscribe"
    assert len(delighted("something.else", {}).refusals) == 1


def test_wrong_signatures_are_turned_away_whole() -> None:
    wrong = [
        typeform(secret=b"guess"),
        delighted("survey_response.created", {}, secret=b"guess"),
        judged("POST", "/webhooks/typeform/shop", {}),
        judged("POST", "/webhooks/delighted/shop", {}),
        judged_for(Shop(), "POST", "/webhooks/typeform/shop", {}),
        judged_for(Shop(), "POST", "/webhooks/delighted/shop", {}),
    ]
    assert [(one.answer.status, one.published) for one in wrong] == [(401, [])] * len(wrong)


def test_form_of_ones_own() -> None:
    body = b"metric=NPS&score=9&comment=fast+%26+kind&user_id=u1&response_id=r1&order_id=o1"
    result = judged("POST", "/survey/shop", body)
    assert (result.answer.status, result.answer.content_type) == (200, "text/html")
    hit = result.hit
    assert (hit["site"], hit["event"], hit["score"], hit["scale"]) == ("shop", "survey_response", 9, 10)
    assert (hit["user_id"], hit["order_id"]) == ("u1", "o1")
    assert hit["props"] == {"metric": "nps", "comment": "fast & kind"}
    assert hit["hit_id"] == judged("POST", "/survey/shop/", body).hit["hit_id"]


@pytest.mark.parametrize(("body", "status"), [(b"metric=nps&score=9", 400), (b"--x", 400), (b"", 400)])
def test_form_that_says_not_who_or_nothing(body: bytes, status: int) -> None:
    result = judged("POST", "/survey/shop", body)
    assert (result.answer.status, result.hits) == (status, [])


def test_link_in_an_email_asks_first_and_escapes_what_it_repeats() -> None:
    result = judged("GET", "/survey/shop?metric=nps&score=9&user_id=%22%3E%3Cscript%3E&%3Cb%3E=x")
    assert result.published == []
    page = result.answer.body.decode()
    assert '<form method="post" action="/survey/shop">' in page
    assert 'name="score" value="9"' in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "default-src 'none'" in result.answer.headers["Content-Security-Policy"]
