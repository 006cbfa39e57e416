"""PostHog: every path its clients send to, every wrapping they use, and what its script asks for at start.

The body is found, unwrapped and read in this order: ``data`` of the query, of a form, else the body itself; gzip by
its first bytes; lz-string where ``compression`` says so; base64 where it is no JSON; then one event, a list, or an
object with a ``batch``. Clients resend on 202 and 204, so all that can be read is answered with exactly 200.
"""

import re
from typing import Any, NamedTuple

from pipeline.collector.body import TooLargeError, inflate
from pipeline.collector.protocols.base import (
    EMPTY,
    Answer,
    Event,
    Parsed,
    Request,
    Verdicts,
    json_answer,
    route,
)
from pipeline.collector.protocols.encodings import from_lz64, unwrapped_bytes
from pipeline.collector.protocols.fields import (
    decoded,
    encoded,
    list_of,
    milliseconds,
    object_of,
    parameters,
    text_of,
)
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.posthog_event import consent_of, hit_of

_OK = json_answer(b'{"status":"Ok"}')
_GZIP = b"\x1f\x8b\x08"
_FORM = re.compile(rb"\s*(?:[\w$%-]{1,64}=[^{&]*&)*data=")
_MIN_DIGITS_OF_MS = 12  # a query's ``_`` with fewer looks like seconds, and is none of ours
_CONFIG: dict[str, Any] = {
    "supportedCompression": ["gzip", "gzip-js"], "hasFeatureFlags": False, "sessionRecording": False,
    "surveys": False, "heatmaps": False, "capturePerformance": False, "autocaptureExceptions": False,
    "captureDeadClicks": False, "isAuthenticated": False, "siteApps": [], "toolbarParams": {},
    "autocapture_opt_out": False, "elementsChainAsString": True, "defaultIdentifiedOnly": True,
    "productTours": False, "conversations": False, "logs": {"captureConsoleLogs": False}, "errorTracking": {},
}  # fmt: skip
_FLAGS = {
    "flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False,
    "quotaLimited": [], "requestId": "",
}  # fmt: skip


class _Found(NamedTuple):
    """``events`` as they came; ``token`` and ``sent_ms`` of all of them."""

    events: list[Any]
    token: str = ""
    sent_ms: int | None = None


def parse(request: Request) -> Parsed:
    """Events of the paths without a version, and of v0."""
    query = parameters(request.query)
    raw, options = _payload(request, query)
    if not raw:
        return Parsed(answer=_refused("no data"))
    body = decoded(raw)
    sent = milliseconds(options.get("_")) if len(options.get("_", "")) >= _MIN_DIGITS_OF_MS else None
    if isinstance(body, dict) and isinstance(body.get("batch"), list):
        sent = instant(body.get("sent_at")) or sent
        found = _Found(body["batch"], _token(body), sent)
    elif isinstance(body, dict):
        found = _Found([body], "", instant(body.get("sent_at")) or sent)
    elif isinstance(body, list):
        found = _Found(body, "", sent)
    else:
        return Parsed((Event(raw),), _refused("not JSON"))
    request.listed(found.events)
    if request.path.startswith("/engage"):
        found = found._replace(events=[_with_name(event) for event in found.events])
    answer = EMPTY if query.get("beacon") == "1" else _OK
    return _parsed(request, found, lambda verdicts: answer if _some(verdicts) else _refused_by(verdicts))


def parse_v1(request: Request) -> Parsed:
    """``/i/v1/analytics/events``: the key in ``Authorization``, a word about each event in the answer."""
    headers = request.headers
    body = decoded(request.body)
    if not isinstance(body, dict) or not isinstance(body.get("batch"), list):
        events = [Event(request.body)] if request.body.strip() else []
        return Parsed(events, _refused("not a batch"))
    sent = instant(headers.get("PostHog-Request-Timestamp", "")) or instant(body.get("created_at"))
    events = request.listed(list_of(body["batch"]))
    token = headers.get("Authorization", "").partition(" ")[2].strip() or _token(body)
    return _parsed(request, _Found(events, token, sent), lambda verdicts: _answer_v1(events, verdicts))


def parse_config(request: Request) -> Parsed:
    """What the script asks for at start; as a script it sets the configuration itself."""
    token = request.path.split("/")[2]
    if not request.path.endswith(".js"):
        return Parsed(answer=json_answer(encoded({"token": token, **_CONFIG})))
    known = encoded({token: {"config": {"token": token, **_CONFIG}, "siteApps": []}})
    script = b"window._POSTHOG_REMOTE_CONFIG=Object.assign(window._POSTHOG_REMOTE_CONFIG||{},%s);" % known
    return Parsed(answer=Answer(200, script, "text/javascript"))


def parse_flags(_request: Request) -> Parsed:
    """No feature flag is on; old clients read the configuration here."""
    return Parsed(
        answer=json_answer(encoded({"config": {"enable_collect_everything": True}, **_CONFIG, **_FLAGS}))
    )


def parse_nothing(_request: Request) -> Parsed:
    """Recordings, logs, traces: not kept, and the client need not try again."""
    return Parsed(answer=_OK)


def parse_script(_request: Request) -> Parsed:
    """Parts that the script loads for what the configuration has switched off."""
    return Parsed(answer=Answer(200, b"/* not served here */", "text/javascript"))


def _parsed(request: Request, found: _Found, answer: Any) -> Parsed:
    tokens = [found.token or _token_of(event) for event in found.events]
    if len({token for token in tokens if token}) > 1:
        return Parsed(answer=_refused("more than one token"), rejected="more than one token")
    if any(token.startswith("phx_") for token in tokens):
        return Parsed(answer=_refused("a personal key", 401), rejected="a personal key")
    events, is_person = [], []
    for event, token in zip(found.events, tokens, strict=True):
        hit = _hit(request, event, found.sent_ms)
        is_person.append(hit is not None)
        if hit is not None:
            events.append(Event(hit, token, consent=consent_of(event) if isinstance(event, dict) else ""))
    return Parsed(events, lambda verdicts: answer(_spread(is_person, verdicts)))


def _hit(request: Request, event: Any, sent_ms: int | None) -> Any:
    if not isinstance(event, dict):
        return encoded(event)
    return hit_of(event, sent_ms=sent_ms, received_ms=request.received_ms)


def _spread(is_person: list[bool], verdicts: Verdicts) -> Verdicts:
    """The verdicts with a place for what was no hit: it was taken."""
    told = iter(verdicts)
    return [next(told) if one else None for one in is_person]


def _payload(request: Request, query: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """The JSON, and what query and form say beside it."""
    body = request.body
    if query.get("data"):
        return _unwrapped(query["data"].encode(errors="replace"), query, request.max_body_bytes), query
    if _FORM.match(body):
        form = parameters(body.decode(errors="replace"))
        options = {**query, **{name: value for name, value in form.items() if name != "data"}}
        return _unwrapped(form["data"].encode(errors="replace"), options, request.max_body_bytes), options
    return _unwrapped(body, query, request.max_body_bytes), query


def _unwrapped(raw: bytes, options: dict[str, str], max_bytes: int) -> bytes:
    for _ in range(3):  # base64 within base64 was seen; nobody goes deeper
        raw = raw.strip() if not raw.startswith(_GZIP) else raw
        if raw.startswith(_GZIP):
            try:
                raw = inflate(raw, max_bytes=max_bytes)
            except TooLargeError:
                return raw
        elif options.get("compression") == "lz64":
            text = from_lz64(raw.decode(errors="replace"), max_chars=max_bytes)
            options = {}
            raw = text.encode() or raw
        if raw[:1] in (b"{", b"[") or not (plain := unwrapped_bytes(raw.decode("latin-1"))):
            break
        raw = plain
    return raw


def _with_name(event: Any) -> Any:
    return {"event": "$identify", **event} if isinstance(event, dict) else event


def _token(body: dict[str, Any]) -> str:
    return text_of(body.get("api_key")) or text_of(body.get("token"))


def _token_of(event: Any) -> str:
    if not isinstance(event, dict):
        return ""
    properties = object_of(event.get("properties"))
    for place, name in ((event, "token"), (event, "$token"), (event, "api_key"), (properties, "token")):
        if found := text_of(place.get(name)):
            return found
    return ""


def _some(verdicts: Verdicts) -> bool:
    return any(verdict is None for verdict in verdicts) or not verdicts


def _refused(message: str, status: int = 400) -> Answer:
    return json_answer(
        encoded({"type": "validation_error", "code": "invalid_payload", "detail": message}), status
    )


def _refused_by(verdicts: Verdicts) -> Answer:
    first = next(verdict for verdict in verdicts if verdict is not None)
    return _refused(f"{first.reason} {first.field}".strip())


def _answer_v1(events: list[Any], verdicts: Verdicts) -> Answer:
    results = {}
    for event, verdict in zip(events, verdicts, strict=True):
        uuid = text_of(event.get("uuid")) if isinstance(event, dict) else ""
        results[uuid] = {"result": "ok"} if verdict is None else {"result": "drop", "details": verdict.reason}
    return json_answer(encoded({"results": results}))


ROUTES = (
    route("posthog", "GET POST", r"/(e|capture|track|engage|batch|i/v0/e)/?", parse),
    route("posthog", "POST", r"/i/v1/analytics/events/?", parse_v1),
    route("posthog", "GET", r"/array/[^/]+/config(\.js)?", parse_config),
    route("posthog", "GET POST", r"/(flags|decide)/?", parse_flags),
    route("posthog", "GET POST", r"/(s|i/v1/(logs|metrics|traces)|surveys|api/surveys)/?", parse_nothing),
    route("posthog", "GET", r"/static/[\w.\-/]+\.js", parse_script),
)  # fmt: skip
