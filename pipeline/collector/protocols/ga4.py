"""GA4's Measurement Protocol: ``POST /mp/collect?measurement_id=…&api_secret=…``, JSON, up to 25 events.

Time: ``timestamp_micros`` of the event, else of the body, if it is within 72 hours before arrival; else that of
arrival, in the order of the events. The answer is always 204 and empty. ``/debug/mp/collect`` says what is missing,
and records nothing.
"""

from typing import Any

import msgspec

from pipeline.collector.protocols.base import EMPTY, Event, Hit, Parsed, Request, json_answer, route
from pipeline.collector.protocols.fields import (
    arrival_times,
    decoded,
    fitted,
    fitted_props,
    milliseconds,
    object_of,
    parameters,
    text_of,
    without_nothing,
)
from pipeline.collector.protocols.ga4_params import put_params

_BACKDATING_MS = 72 * 3_600_000
_MICROS = 1_000_000


def parse(request: Request) -> Parsed:
    """The events of one client."""
    body = decoded(request.body)
    if not isinstance(body, dict):
        return Parsed([Event(request.body)] if request.body.strip() else (), EMPTY)
    given = parameters(request.query)
    key = given.get("measurement_id") or given.get("firebase_app_id", "")
    events = body.get("events")
    events = events if isinstance(events, list) else [{}]
    arrivals = arrival_times(request.received_ms, len(request.listed(events)))
    shared, stated = _shared(body), _time(request, body.get("timestamp_micros"))
    found = [
        Event(_hit(request, shared, one, stated or arrival), key, given.get("api_secret", ""))
        if isinstance(one, dict)
        else Event(msgspec.json.encode(one))
        for one, arrival in zip(events, arrivals, strict=True)
    ]
    return Parsed(found, EMPTY)


def validate(request: Request) -> Parsed:
    """What a person who tries it should know."""
    body = object_of(decoded(request.body))
    missing = []
    if not (body.get("client_id") or body.get("app_instance_id")):
        missing.append("client_id")
    if not isinstance(body.get("events"), list) or not body["events"]:
        missing.append("events")
    messages = [
        {"fieldPath": name, "description": f"{name} is required", "validationCode": "VALUE_REQUIRED"}
        for name in missing
    ]
    return Parsed((), json_answer(msgspec.json.encode({"validationMessages": messages})))


def _shared(body: dict[str, Any]) -> Hit:
    """What the body says of all its events, fitted once."""
    properties = {
        name: value.get("value") if isinstance(value, dict) else value
        for name, value in object_of(body.get("user_properties")).items()
    }
    place, device = object_of(body.get("user_location")), object_of(body.get("device"))
    return fitted({
        "visitor_id": text_of(body.get("client_id")) or text_of(body.get("app_instance_id")),
        "user_id": text_of(body.get("user_id")),
        "user_agent": text_of(body.get("user_agent")),
        "ip": text_of(body.get("ip_override")),
        "country": text_of(place.get("country_id")),
        "language": text_of(device.get("language")),
        "screen": text_of(device.get("screen_resolution")),
        "props": {"user_properties": fitted_props(without_nothing(properties))},
    })  # fmt: skip


def _hit(request: Request, shared: Hit, event: dict[str, Any], else_at: int) -> Hit:
    time = _time(request, event.get("timestamp_micros")) or else_at
    hit: Hit = {**shared, "event": text_of(event.get("name")), "time": time}
    put_params(hit, object_of(event.get("params")))
    return fitted(hit)


def _time(request: Request, micros: Any) -> int | None:
    time = milliseconds(micros, per_second=_MICROS)
    if time is None or not request.received_ms - _BACKDATING_MS <= time <= request.received_ms:
        return None
    return time


ROUTES = (
    route("ga4", "POST", r"(/.*)?/debug/mp/collect", validate),
    route("ga4", "POST", r"(/.*)?/mp/collect", parse),
)
