"""Umami: ``POST /api/send`` (once ``/api/collect``), one JSON object; ``/api/batch``, an array of them.

Without a name it is a page view. Without an id the visitor is a hash that lasts a month, as Umami's sessions do;
``identify`` makes the id known, with or without data. ``timestamp`` (seconds) is of the server-side clients; else the
time is that of arrival. The answer gives no
token: the script would send it back in a header, which a browser asks leave for first.
"""

from typing import Any

import msgspec

from pipeline.collector.protocols.base import (
    Answer,
    Event,
    Hit,
    Parsed,
    Request,
    Verdicts,
    json_answer,
    route,
)
from pipeline.collector.protocols.commerce import event_of, put_commerce
from pipeline.collector.protocols.fields import (
    decoded,
    fitted,
    milliseconds,
    number,
    object_of,
    text_of,
    without_nothing,
)
from pipeline.collector.protocols.urls import absolute
from pipeline.collector.protocols.visitors import visitor_of

_EVENTS = {"identify": "identify", "performance": "web_vitals"}
_VITALS = ("lcp", "inp", "cls", "fcp", "ttfb")


def parse(request: Request) -> Parsed:
    """One event."""
    body = decoded(request.body)
    if isinstance(body, dict):
        return Parsed([_event(request, body)], _answer)
    return Parsed([Event(request.body)] if request.body.strip() else (), _answer)


def parse_batch(request: Request) -> Parsed | None:
    """Many. Another protocol's batch of the same path is an object."""
    body = decoded(request.body)
    if not isinstance(body, list):
        return None
    found = [
        _event(request, one) if isinstance(one, dict) else Event(msgspec.json.encode(one))
        for one in request.listed(body)
    ]
    return Parsed(found, _batch_answer)


def _event(request: Request, body: dict[str, Any]) -> Event:
    payload = object_of(body.get("payload"))
    key = next((text for name in ("website", "link", "pixel") if (text := text_of(payload.get(name)))), "")
    return Event(fitted(_hit(request, text_of(body.get("type")), payload, key)), key)


def _hit(request: Request, kind: str, payload: dict[str, Any], key: str) -> Hit:
    host = text_of(payload.get("hostname"))
    agent, ip, user = (text_of(payload.get(name)) for name in ("userAgent", "ip", "id"))
    name = text_of(payload.get("name"))
    seconds = payload.get("timestamp")
    hit: Hit = {
        "event": _EVENTS.get(kind) or (event_of(name) if name else "page_view"),
        "visitor_id": visitor_of(request, key, request.month_salt, ip=ip, user_agent=agent),
        "user_id": user,
        "time": milliseconds(seconds, per_second=1),
        "url": absolute(text_of(payload.get("url")), host),
        "referrer": absolute(text_of(payload.get("referrer")), host),
        "title": text_of(payload.get("title")),
        "user_agent": agent,
        "ip": ip,
        "language": text_of(payload.get("language")),
        "screen": text_of(payload.get("screen")),
    }
    vitals = {name: number(payload.get(name)) for name in _VITALS}
    props = put_commerce(hit, object_of(payload.get("data")))
    hit["props"] = {"tag": text_of(payload.get("tag")), **without_nothing(vitals), **props}
    return hit


def _answer(verdicts: Verdicts) -> Answer:
    refused = [verdict for verdict in verdicts if verdict is not None]
    if not verdicts or refused:
        field = refused[0].field if refused else "body"
        return json_answer(msgspec.json.encode({"error": {"message": "Bad request", "field": field}}), 400)
    return json_answer(b'{"disabled":false}')


def _batch_answer(verdicts: Verdicts) -> Answer:
    details = [
        {"index": place, "response": {"error": verdict.reason}}
        for place, verdict in enumerate(verdicts)
        if verdict is not None
    ]
    taken = len(verdicts) - len(details)
    answer = {
        "size": len(verdicts),
        "processed": taken,
        "errors": len(details),
        "details": details,
        "cache": None,
    }
    return json_answer(msgspec.json.encode(answer))


ROUTES = (
    route("umami", "POST", r"(/.*)?/api/(send|collect)/?", parse),
    route("umami", "POST", r"(/.*)?/api/batch/?", parse_batch),
)
