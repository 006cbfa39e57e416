"""Typeform's webhook: a signed response becomes one ``survey_response`` for each score in it, or one without.

The person is ``user_id`` or ``visitor_id`` of the hidden fields, else the e-mail address that was answered, else the
response itself. ``scale`` is the best mark; the other answers are ``props.answers`` of the first hit.
"""

import re
from typing import Any

from pipeline.collector.protocols.base import Answer, Event, Hit, Parsed, Request, route
from pipeline.collector.protocols.fields import decoded, digest, fitted, list_of, number, object_of, text_of
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.signatures import is_base64_hmac, site_of, unsigned

_OK = Answer(200, b"ok", "text/plain")
_METRIC = re.compile(r"(?<![a-z])(nps|csat|ces)(?![a-z])")
USERS = ("user_id", "userId", "customer_id", "userid")
VISITORS = ("visitor_id", "visitorId", "anonymous_id")


def parse(request: Request) -> Parsed:
    """A response, or a part of one, which is none yet."""
    site = site_of(request)
    secret = request.sites.secret_of(site, "typeform")
    if secret is None:
        return unsigned("no secret of typeform is set for this site")
    given = request.headers.get("Typeform-Signature", "").removeprefix("sha256=")
    if not is_base64_hmac(secret, request.body, given):
        return unsigned("the signature is wrong")
    body = object_of(decoded(request.body))
    if body.get("event_type") == "form_response_partial":
        return Parsed(answer=_OK)
    response = object_of(body.get("form_response"))
    if not response:
        return Parsed((Event(request.body, site, is_signed=True),), _OK)
    return Parsed([Event(hit, site, is_signed=True) for hit in _hits(response)], _OK)


def _hits(response: dict[str, Any]) -> list[Hit]:
    hidden = object_of(response.get("hidden"))
    definition = object_of(response.get("definition"))
    fields = {text_of(f.get("id")): f for f in list_of(definition.get("fields")) if isinstance(f, dict)}
    token = text_of(response.get("token"))
    answers = [answer for answer in list_of(response.get("answers")) if isinstance(answer, dict)]
    texts = {_title(answer, fields): _said(answer) for answer in answers if answer.get("type") != "number"}
    common: Hit = {
        "event": "survey_response",
        "user_id": first_of(hidden, USERS) or ("" if first_of(hidden, VISITORS) else _email(answers)),
        "visitor_id": first_of(hidden, VISITORS) or ("" if first_of(hidden, USERS) or _email(answers) else token),
        "order_id": text_of(hidden.get("order_id")),
        "time": instant(response.get("submitted_at")),
        "campaign": {"source": hidden.get("utm_source"), "medium": hidden.get("utm_medium"),
                     "name": hidden.get("utm_campaign")},
    }  # fmt: skip
    rest = {name: value for name, value in hidden.items() if name not in (*USERS, *VISITORS, "order_id")}
    props = {"provider": "typeform", "form": text_of(response.get("form_id")), **rest}
    scored = [answer for answer in answers if answer.get("type") == "number" and _scale(answer, fields)]
    hits = []
    for place, answer in enumerate(scored or [{}]):
        said = {"metric": _metric(answer, fields), "question": _title(answer, fields)} if answer else {}
        hits.append(fitted({
            **common,
            "hit_id": digest("typeform", token, text_of(object_of(answer.get("field")).get("id"))) if token else "",
            "score": number(answer.get("number")),
            "scale": _scale(answer, fields) if answer else None,
            "props": {**props, **said, **({"answers": texts} if place == 0 else {})},
        }))  # fmt: skip
    return hits


def _field(answer: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    own = object_of(answer.get("field"))
    return {**object_of(fields.get(text_of(own.get("id")))), **own}


def _scale(answer: dict[str, Any], fields: dict[str, Any]) -> int | float | None:
    """The best mark; None for a number that is no mark."""
    field = _field(answer, fields)
    properties = object_of(field.get("properties"))
    steps = number(properties.get("steps"))
    if field.get("type") == "nps":
        return 10
    if field.get("type") == "rating":
        return steps or 5
    if field.get("type") == "opinion_scale":
        best = steps or 11
        return best if properties.get("start_at_one") else best - 1
    return None


def _metric(answer: dict[str, Any], fields: dict[str, Any]) -> str:
    """By the kind of question, else by a word in its ref or title; a rating is one of satisfaction."""
    field = _field(answer, fields)
    kind = text_of(field.get("type"))
    named = _METRIC.search(f"{text_of(field.get('ref'))} {text_of(field.get('title'))}".lower())
    return "nps" if kind == "nps" else named[1] if named else "csat" if kind == "rating" else "other"


def _title(answer: dict[str, Any], fields: dict[str, Any]) -> str:
    field = _field(answer, fields)
    return text_of(field.get("title")) or text_of(field.get("ref")) or text_of(field.get("id"))


def _said(answer: dict[str, Any]) -> Any:
    value = answer.get(text_of(answer.get("type")))
    if isinstance(value, dict):
        return value.get("label") or value.get("labels") or value
    return value


def _email(answers: list[dict[str, Any]]) -> str:
    return next((text_of(one.get("email")).lower() for one in answers if one.get("type") == "email"), "")


def first_of(values: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of the named values that says something."""
    return next(filter(None, (text_of(values.get(name)) for name in names)), "")


ROUTES = (route("typeform", "POST", r"/webhooks/typeform/[\w.-]{1,64}/?", parse),)
