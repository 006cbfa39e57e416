"""Typeform's webhook: a signed response becomes one ``survey_response`` for each score in it, or one without.

The person is ``user_id`` or ``visitor_id`` of the hidden fields, else the e-mail address that was answered, else the
response itself. ``scale`` is the best mark; the other answers are ``props.answers`` of the first hit.
"""

from typing import Any

from pipeline.collector.protocols.base import Answer, Event, Hit, Parsed, Request, route
from pipeline.collector.protocols.fields import (
    decoded,
    digest,
    fitted,
    fitted_props,
    list_of,
    number,
    object_of,
    text_of,
)
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.signatures import is_base64_hmac, site_of, unsigned
from pipeline.collector.protocols.survey_metrics import as_effort, asks_for_ease, metric_in

_OK = Answer(200, b"ok", "text/plain")
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
    definition = object_of(response.get("definition"))
    fields = {text_of(f.get("id")): f for f in list_of(definition.get("fields")) if isinstance(f, dict)}
    given = [answer for answer in list_of(response.get("answers")) if isinstance(answer, dict)]
    token = text_of(response.get("token"))
    answers = [{**answer, "field": _field(answer, fields)} for answer in given]
    scored = [answer for answer in answers if _is_score(answer)]
    texts = {_title(answer["field"]): _said(answer) for answer in answers if not _is_score(answer)}
    common = _common(response, token, answers)
    shared = fitted_props(common.pop("props"))
    hits = []
    for place, answer in enumerate(scored or [{"field": {}}]):
        said, hit = _scored(answer) if scored else ({}, {})
        hit["hit_id"] = digest("typeform", token, text_of(answer["field"].get("id"))) if token else ""
        props = {**shared, **said, **({"answers": texts} if place == 0 else {})}
        hits.append(fitted({**common, **hit, "props": props}))
    return hits


def _is_score(answer: dict[str, Any]) -> bool:
    return answer.get("type") == "number" and bool(_scale(answer["field"]))


def _common(response: dict[str, Any], token: str, answers: list[dict[str, Any]]) -> Hit:
    hidden = object_of(response.get("hidden"))
    user, visitor = first_of(hidden, USERS), first_of(hidden, VISITORS)
    if not user and not visitor:
        user = _email(answers)
    rest = {name: value for name, value in hidden.items() if name not in (*USERS, *VISITORS, "order_id")}
    return {
        "event": "survey_response",
        "user_id": user,
        "visitor_id": visitor or ("" if user else token),
        "order_id": text_of(hidden.get("order_id")),
        "time": instant(response.get("submitted_at")),
        "campaign": {
            "source": hidden.get("utm_source"),
            "medium": hidden.get("utm_medium"),
            "name": hidden.get("utm_campaign"),
        },
        "props": {"provider": "typeform", "form": text_of(response.get("form_id")), **rest},
    }


def _scored(answer: dict[str, Any]) -> tuple[dict[str, Any], Hit]:
    """What a mark says: props, and fields."""
    field = answer["field"]
    asked = f"{text_of(field.get('ref'))} {text_of(field.get('title'))}"
    props: dict[str, Any] = {"metric": _metric(field, asked), "question": _title(field)}
    score, scale = number(answer.get("number")), _scale(field)
    if props["metric"] == "ces" and asks_for_ease(asked):
        score = as_effort(score, scale, props)
    return props, {"score": score, "scale": scale}


def _field(answer: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    own = object_of(answer.get("field"))
    return {**object_of(fields.get(text_of(own.get("id")))), **own}


def _scale(field: dict[str, Any]) -> int | float | None:
    """The best mark; None for a number that is no mark."""
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


def _metric(field: dict[str, Any], asked: str) -> str:
    """By the kind of question, else by a word in its ref or title; a rating is one of satisfaction."""
    kind = text_of(field.get("type"))
    return "nps" if kind == "nps" else metric_in(asked) or ("csat" if kind == "rating" else "other")


def _title(field: dict[str, Any]) -> str:
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
