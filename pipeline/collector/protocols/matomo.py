"""Matomo's Tracking HTTP API: ``matomo.php`` and ``piwik.php``, by query, form or both, one hit or a bulk of them.

What a hit is, is told in this order: ping, goal or order, search, download, link, event, content, page view. A page
view of a product is a ``page_view`` and a ``view_item``, as in GA4: matomo.js repeats the product on every later hit
of the page, so it is taken from page views only. A goal is ``goal_<id>``; a cart update keeps its value in props,
since it is no revenue. Times: ``cdt``, or ``cdo`` seconds ago, else that of arrival, in the order of a bulk. Without
``_id``, ``cid`` the visitor is a daily hash. A hit with a random number (``r``, ``rand``) has an id made of all its
parameters, so that the image that matomo.js sends again after a failed request is a duplicate.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.collector.protocols.base import (
    EMPTY,
    IMAGE,
    Answer,
    Event,
    Hit,
    Parsed,
    Request,
    Verdicts,
    json_answer,
    route,
)
from pipeline.collector.protocols.fields import (
    arrival_times,
    decoded,
    digest,
    fitted,
    milliseconds,
    number,
    parameters,
    text_of,
)
from pipeline.collector.protocols.matomo_events import Parameters, product_view, props_of, put_event
from pipeline.collector.protocols.visitors import visitor_of

_VISITOR = re.compile(r"[0-9a-fA-F]{16}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_YEARS_20_MS = 20 * 365 * 86_400_000
_PREFETCH = (
    ("X-Purpose", "preview"),
    ("X-Purpose", "instant"),
    ("X-Moz", "prefetch"),
    ("Sec-Purpose", "prefetch"),
)


def parse(request: Request) -> Parsed:
    """A bulk if the body says so, else one hit of query and form."""
    if b'"requests"' in request.body:
        return _bulk(request)
    given = parameters(request.body.decode("utf-8", "replace")) | parameters(request.query)
    answer = EMPTY if given.get("send_image") == "0" else IMAGE
    if any(request.headers.get(name, "").startswith(value) for name, value in _PREFETCH):
        return Parsed((), answer)
    return Parsed(_events(request, given, "", request.received_ms), answer)


def _bulk(request: Request) -> Parsed:
    body = decoded(request.body)
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(requests, list):
        error = json_answer(b'{"status":"error","tracked":0,"invalid":1}', 400)
        return Parsed([Event(request.body)] if not isinstance(body, dict) else [], error)
    events: list[Event] = []
    arrivals = arrival_times(request.received_ms, len(request.listed(requests)))
    for one, arrival in zip(requests, arrivals, strict=True):
        given = _given(one)
        if given is None:
            events.append(Event(msgspec.json.encode(one) if not isinstance(one, dict) else b"{}"))
        else:
            events += _events(request, given, text_of(body.get("token_auth")), arrival)
    return Parsed(events, EMPTY if text_of(body.get("send_image")) == "0" else _bulk_answer)


def _given(one: Any) -> Parameters | None:
    """The parameters of one of a bulk: an object, or a text with a query."""
    if isinstance(one, dict):
        return one
    if isinstance(one, str) and "?" in one:
        return dict(parameters(one.partition("?")[2]))
    return None


def _bulk_answer(verdicts: Verdicts) -> Answer:
    invalid = sum(verdict is not None for verdict in verdicts)
    tracked = len(verdicts) - invalid
    return json_answer(b'{"status":"success","tracked":%d,"invalid":%d}' % (tracked, invalid))


def _events(request: Request, given: Parameters, token: str, arrival: int) -> list[Event]:
    if text_of(given.get("rec")) != "1":
        return []
    key, secret = text_of(given.get("idsite")), text_of(given.get("token_auth")) or token
    consent = "granted" if text_of(given.get("consent")) == "1" else ""
    hit = _hit(request, given, key, is_trusted=bool(secret))
    hit["time"] = _time(request, given) or arrival
    hits = [hit]
    if hit["event"] == "page_view" and (product := product_view(hit, given)):
        hits.append(product)
    return [Event(fitted(one), key, secret, consent) for one in hits]


def _hit(request: Request, given: Parameters, key: str, *, is_trusted: bool) -> Hit:
    visitor = next(
        (text for name in ("cid", "_id") if _VISITOR.fullmatch(text := text_of(given.get(name)))), ""
    )
    url, referrer = text_of(given.get("url")), text_of(given.get("urlref"))
    if not url and not referrer:  # an image without a script
        url = request.headers.get("Referer", "")
    agent = text_of(given.get("ua"))
    ip = text_of(given.get("cip")) if is_trusted else ""
    hit: Hit = {
        "visitor_id": visitor or visitor_of(request, key, request.day_salt, ip=ip, user_agent=agent),
        "user_id": text_of(given.get("uid")),
        "hit_id": _hit_id(given),
        "url": url,
        "referrer": referrer,
        "title": text_of(given.get("action_name")),
        "user_agent": agent,
        "language": text_of(given.get("lang")).partition(",")[0],
        "screen": text_of(given.get("res")),
        "country": text_of(given.get("country")) if is_trusted else "",
        "ip": ip,
        "props": props_of(given),
    }
    put_event(hit, given)
    return hit


def _hit_id(given: Parameters) -> str:
    if not (given.get("r") or given.get("rand")):
        return ""
    return digest(*(f"{name}={text_of(given[name])}" for name in sorted(given) if name != "send_image"))


def _time(request: Request, given: Parameters) -> int | None:
    moment, ago = text_of(given.get("cdt")), number(given.get("cdo"))
    if _MOMENT.fullmatch(moment):
        try:
            time = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000
        except ValueError:
            return None
        found: int | None = time
    else:
        found = milliseconds(moment, per_second=1)
        if found is None and ago is not None and 0 <= ago <= _YEARS_20_MS / 1_000:
            found = request.received_ms - int(ago * 1_000)
    if found is None or not request.received_ms - _YEARS_20_MS <= found <= request.received_ms:
        return None
    return found


ROUTES = (route("matomo", "GET POST", r"(/.*)?/(matomo|piwik)\.php", parse),)
