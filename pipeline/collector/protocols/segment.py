"""Segment's HTTP API, RudderStack's and Jitsu's: servers, browsers, pixels, and what their scripts ask for at start.

``POST /v1/batch`` (``b``, ``import``) and one message at ``/v1/track``, ``/v1/t`` and so on, in JSON whatever the
Content-Type says. The key is looked for in this order: user of Basic authentication, ``X-Write-Key``, query, body.
Clients send again on anything but 200 that is no 4xx, so what can be read at all is 200; a request of which nothing
is a hit is 400, and the clients let it go.
"""

import re
from typing import Any
from urllib.parse import quote

from pipeline.collector.protocols.base import (
    IMAGE,
    Answer,
    Event,
    Parsed,
    Request,
    Verdicts,
    json_answer,
    route,
)
from pipeline.collector.protocols.encodings import unwrapped
from pipeline.collector.protocols.fields import (
    decoded,
    encoded,
    fitted_props,
    object_of,
    parameters,
    text_of,
)
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.segment_message import TYPES, consent_of, hit_of

_TYPE_OF = {name[0]: name for name in TYPES} | {name: name for name in TYPES}
_OK = json_answer(b'{"success":true,"ok":true}')  # Segment's word and Jitsu's
_KEYS = ("writeKey", "writekey", "token")
_NAME = re.compile(r"/([a-z]+)/?$")
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,255}(:\d{1,5})?")
_Key = tuple[str, str]  # key and secret: Jitsu's ``id:secret`` is both
_MASK = ":***"  # what Jitsu's script writes for its secret


def parse(request: Request) -> Parsed | None:
    """A message, or a batch of them."""
    return _parse(request, is_corrected=True)


def parse_jitsu(request: Request) -> Parsed | None:
    """Jitsu's own paths. Its clocks are not corrected."""
    return _parse(request, is_corrected=False)


def parse_pixel(request: Request) -> Parsed | None:
    """An image: ``data`` holds a message as JSON, also as base64 of it; or the query is the message (RudderStack)."""
    query = parameters(request.query)
    found = decoded(query["data"]) or decoded(unwrapped(query["data"])) if "data" in query else dict(query)
    if not isinstance(found, dict):
        return Parsed((Event(query["data"].encode(), *_key_of(request, {})),), IMAGE)
    if text_of(found.get("anonymousId")):
        found["anonymousId"] = text_of(found["anonymousId"]).strip("\"'")
    key, kind = _key_of(request, found), text_of(found.get("type")) or _kind_of(request)
    return Parsed((_event(found, key, {}, kind=kind, is_corrected=True),), IMAGE)


def parse_settings(request: Request) -> Parsed | None:
    """What analytics.js asks its CDN for at start: send everything to where the settings came from."""
    key = request.path.split("/")[3]
    host = request.headers.get("Host", "")
    scheme = request.headers.get("X-Forwarded-Proto") or request.headers.get("Origin", "").partition(":")[0]
    target: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": True}
    if _HOST.fullmatch(host):
        target |= {"apiHost": f"{host}/v1", "protocol": "http" if scheme == "http" else "https"}
    settings = {"integrations": {"Segment.io": target}, "plan": {"track": {}}, "edgeFunction": {}}
    return Parsed(answer=json_answer(encoded(settings)))


def parse_source_config(request: Request) -> Parsed | None:
    """What RudderStack's script asks for at start: a source that is on and has no destinations of its own."""
    key = _key_of(request, {})[0]
    no_statistics = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    source = {
        "id": key, "name": key, "writeKey": key, "enabled": True, "workspaceId": "masir", "destinations": [],
        "connections": [], "dataplanes": {}, "config": {"statsCollection": no_statistics},
    }  # fmt: skip
    return Parsed(answer=json_answer(encoded({"source": source, "updatedAt": "2026-01-01T00:00:00.000Z"})))


def parse_nothing(_request: Request) -> Parsed | None:
    """The scripts' words about themselves: nobody's journey."""
    return Parsed(answer=_OK)


def _parse(request: Request, *, is_corrected: bool) -> Parsed | None:
    body = decoded(request.body)
    if isinstance(body, list):
        body = {"batch": body}
    if not isinstance(body, dict):
        events = [Event(request.body, *_key_of(request, {}))] if request.body.strip() else []
        return Parsed(events, _answer)
    key, kind = _key_of(request, body), _kind_of(request)
    if not isinstance(body.get("batch"), list):
        return Parsed((_event(body, key, {}, kind=kind, is_corrected=is_corrected),), _answer)
    messages = request.listed(body["batch"])
    if request.path.startswith("/batch") and not _is_batch(messages):
        return None  # PostHog's
    shared = {"context": fitted_props(object_of(body.get("context"))), "sentAt": instant(body.get("sentAt"))}
    found = [_event(message, key, shared, is_corrected=is_corrected) for message in messages]
    return Parsed(found, _answer if found else _OK)


def _is_batch(messages: list[Any]) -> bool:
    """Segment's messages have a type, PostHog's events have none."""
    return any(isinstance(one, dict) and text_of(one.get("type")) in TYPES for one in messages)


def _kind_of(request: Request) -> str:
    """The type of a message that the path names."""
    name = _NAME.search(request.path)
    return _TYPE_OF.get(name[1], "") if name else ""


def _event(message: Any, key: _Key, shared: dict[str, Any], *, kind: str = "", is_corrected: bool) -> Event:
    if not isinstance(message, dict):
        return Event(encoded(message), *key)
    key = key if key[0] else _key_in(message)
    kind = kind or text_of(message.get("type"))
    if kind not in TYPES:
        return Event(encoded(message), *key)
    filled = {**message, "type": kind}
    if shared.get("context"):
        filled["context"] = {**shared["context"], **object_of(message.get("context"))}
    hit = hit_of(filled, sent_at=shared.get("sentAt"), is_corrected=is_corrected)
    return Event(hit, *key, consent_of(filled))


def _key_of(request: Request, body: dict[str, Any]) -> _Key:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    basic = unwrapped(credentials) if scheme.lower() == "basic" else ""
    for found in (basic, request.headers.get("X-Write-Key", "")):
        if found and found != ":":
            return _split(found)
    query = _key_in(parameters(request.query)) if request.query else ("", "")
    return query if query[0] else _key_in(body)


def _key_in(found: dict[str, Any]) -> _Key:
    return _split(next(filter(None, (text_of(found.get(name)) for name in _KEYS)), ""))


def _split(key: str) -> _Key:
    name, _, secret = key.removesuffix(_MASK).partition(":")
    return name, secret


def _answer(verdicts: Verdicts) -> Answer:
    refused = [verdict for verdict in verdicts if verdict is not None]
    if len(refused) < len(verdicts):
        return _OK
    reason = f"{refused[0].reason} {refused[0].field}".strip() if refused else "no message"
    return json_answer(encoded({"success": False, "message": quote(reason, safe=" _")}), 400)


ROUTES = (
    route("segment", "POST", r"/v1/(batch|b|import|track|t|page|p|screen|s|identify|i|group|g|alias|a)/?", parse,
          busy_status=429),
    route("segment", "GET", r"/v1/projects/[^/]+/settings", parse_settings),
    route("segment", "POST", r"/v1/m", parse_nothing),
    route("segment", "GET", r"/v1/pixel/(track|page|screen|identify|group|alias)", parse_pixel),
    route("segment", "GET", r"/sourceConfig/?", parse_source_config),
    route("segment", "POST", r"/beacon/v1/batch", parse),
    route("segment", "GET", r"/pixel/v1/(track|page)", parse_pixel),
    route("jitsu", "POST", r"/api/s/(s2s/)?(track|page|screen|identify|group|alias|batch)/?", parse_jitsu),
    route("jitsu", "GET", r"/api/px/(track|page|screen|identify|group|alias)", parse_pixel),
    route("segment", "POST", r"/batch/?", parse, busy_status=429),
)  # fmt: skip
