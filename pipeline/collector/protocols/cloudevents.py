"""CloudEvents 1.0 over HTTP: structured, binary, batched, and the handshake of its webhooks.

Which of them it is, is told by ``ce-`` headers and by the bytes. The site is the last part of the path, the query's
``site`` or the extension attribute ``site``. ``data`` may hold the contract's fields; what it does not say comes from
the attributes: event from ``type`` (its last words, if they are a standard name), user from ``subject``. Source and
id make the ``hit_id``; ``time`` holds as it is.
"""

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pipeline.collector.protocols.base import (
    EMPTY,
    Answer,
    Event,
    Hit,
    Parsed,
    Request,
    Verdicts,
    json_answer,
    route,
)
from pipeline.collector.protocols.commerce import event_of, put_commerce, standard_event
from pipeline.collector.protocols.encodings import unwrapped_bytes
from pipeline.collector.protocols.fields import (
    decoded,
    digest,
    encoded,
    fitted,
    number,
    object_of,
    parameters,
    text_of,
)
from pipeline.collector.protocols.instants import instant

_REQUIRED: Final = ("specversion", "id", "source", "type")
_TEXTS: Final = (
    "event", "visitor_id", "user_id", "url", "referrer", "title", "channel", "user_agent", "ip", "language", "country",
    "screen",
)  # fmt: skip
_OTHER_NAMES: Final = {
    "visitor_id": ("visitorId", "anonymous_id", "anonymousId"), "user_id": ("userId", "customer_id", "customerId"),
}  # fmt: skip
_NUMBERS: Final = ("score", "scale")
_VERSION = re.compile(r"v\d+", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ORIGIN = re.compile(r"[\w.:/*-]{1,255}", re.ASCII)
_Sender = tuple[str, str]  # site and secret that the request names, for all its events
_DATA = ("data", "data_base64")


def parse(request: Request) -> Parsed | None:
    """One event or a batch of them."""
    headers = request.headers
    if request.method == "OPTIONS":
        return _handshake(headers.get("WebHook-Request-Origin", ""))
    sender = _sender(request)
    attributes = {name.lower()[3:]: _header(value) for name, value in headers.items() if _is_attribute(name)}
    if "specversion" in attributes:
        data = decoded(request.body)
        if data is None and request.body:
            data = request.body.decode(errors="replace")
        events = [_event(sender, {**attributes, "data": data}, request.body)]
        return Parsed(events, _answer)
    body = decoded(request.body)
    if isinstance(body, list):
        events = [_event(sender, one, encoded(one)) for one in request.listed(body)]
        return Parsed(events, _answer if events else EMPTY)
    if isinstance(body, dict):
        return Parsed((_event(sender, body, request.body),), _answer)
    named = headers.get("Content-Type", "").lower()
    is_unknown = named.startswith("application/cloudevents") and "json" not in named
    refused = json_answer(b'{"error":"no CloudEvent in JSON"}', 415 if is_unknown else 400)
    return Parsed((Event(request.body),) if request.body.strip() else (), refused)


def _is_attribute(name: str) -> bool:
    return name[:3].lower() == "ce-"


def _header(value: str) -> str:
    """Quotation marks first, then one round of percent-decoding. SDKs send raw Latin-1 too."""
    quoted = _QUOTED.fullmatch(value.strip())
    if quoted:
        value = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    raw = unquote_to_bytes(value.encode("utf-8", "surrogateescape"))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _sender(request: Request) -> _Sender:
    named = request.path.rstrip("/").rpartition("cloudevents")[2].strip("/")
    secret = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return named or parameters(request.query).get("site", ""), secret


def _event(sender: _Sender, found: Any, raw: bytes) -> Event:
    if not isinstance(found, dict):
        return Event(raw)
    attributes = {name: value for name, value in found.items() if value is not None and name not in _DATA}
    key, secret = sender[0] or text_of(attributes.get("site")), sender[1]
    is_one = all(text_of(attributes.get(name)) for name in _REQUIRED)
    if not is_one or not text_of(attributes["specversion"]).startswith("1."):
        return Event(raw, key, secret)
    return Event(_hit(attributes, _data(found)), key, secret)


def _data(found: dict[str, Any]) -> Any:
    if found.get("data") is not None:
        return found["data"]
    raw = unwrapped_bytes(text_of(found.get("data_base64")))
    value = decoded(raw)
    return raw.decode(errors="replace") if value is None else value


def _hit(attributes: dict[str, Any], data: Any) -> Hit:
    rest = dict(data) if isinstance(data, dict) else {"data": data}
    hit: Hit = {}
    for name in _TEXTS:
        for written in (name, *_OTHER_NAMES.get(name, ())):
            if written in rest and (value := text_of(rest[written])):
                hit[name] = value
                del rest[written]
                break
    for name in _NUMBERS:
        hit[name] = number(rest.pop(name, None))
    hit["event"] = event_of(hit["event"]) if "event" in hit else _event_of_type(text_of(attributes["type"]))
    if "visitor_id" not in hit and "user_id" not in hit:
        hit["user_id"] = text_of(attributes.get("userid")) or text_of(attributes.get("subject"))
    hit["campaign"] = object_of(rest.pop("campaign", None))
    hit["time"] = instant(attributes.get("time")) or instant(rest.get("time"))
    hit["hit_id"] = digest(text_of(attributes["source"]), text_of(attributes["id"]))
    rest = put_commerce(hit, rest)
    known = {*_REQUIRED, "time", "datacontenttype", "site"}
    extensions = {name: value for name, value in attributes.items() if name not in known}
    said = {"type": attributes["type"], "source": attributes["source"], **extensions}
    props = object_of(rest.pop("props", None))
    hit["props"] = {**rest, **props, "cloudevent": said}
    return fitted(hit)


def _event_of_type(kind: str) -> str:
    """``com.example.order.completed.v2`` is a purchase; what says no standard name stays whole."""
    words = [word for word in re.split(r"[./]", kind) if word and not _VERSION.fullmatch(word)]
    for count in (3, 2, 1):
        if event := standard_event(" ".join(words[-count:])):
            return event
    return kind


def _handshake(origin: str) -> Parsed:
    if not _ORIGIN.fullmatch(origin):
        return Parsed(answer=EMPTY)
    headers = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST, OPTIONS"}
    return Parsed(answer=Answer(200, headers=headers))


def _answer(verdicts: Verdicts) -> Answer:
    errors = [
        {"index": index, "reason": verdict.reason, "field": verdict.field, "message": verdict.message}
        for index, verdict in enumerate(verdicts)
        if verdict is not None
    ]
    if not errors:
        return EMPTY
    return json_answer(encoded({"errors": errors}), 400 if len(errors) == len(verdicts) else 200)


ROUTES = (route("cloudevents", "POST OPTIONS", r"(/v1)?/cloudevents(/[\w.-]{1,64})?/?", parse),)
