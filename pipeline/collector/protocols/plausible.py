"""Plausible: ``POST /api/event``, one JSON object, in a browser labelled as plain text.

No id, no time and no title are on the wire: the visitor is a daily hash, the time that of arrival. ``engagement``,
which is sent when a page is left and before the next ``pageview``, becomes ``user_engagement``. A comma list of
domains is one event for each. Automatic events, and goals that GA4 has under another name, get GA4's.
"""

from typing import Any

from pipeline.collector.protocols.base import Answer, Event, Hit, Parsed, Request, Verdicts, route
from pipeline.collector.protocols.commerce import event_of, put_commerce
from pipeline.collector.protocols.fields import (
    amount,
    currency_of,
    decoded,
    fitted,
    fitted_props,
    number,
    object_of,
    text_of,
)
from pipeline.collector.protocols.urls import host_of
from pipeline.collector.protocols.visitors import visitor_of

_NAMES = {
    "pageview": "page_view",
    "engagement": "user_engagement",
    "Outbound Link: Click": "click",
    "File Download": "file_download",
    "Form: Submission": "form_submit",
    "404": "page_not_found",
}
_MAX_DOMAINS = 100  # each gets all of the hit
_OK = Answer(202, b"ok", "text/plain")


def parse(request: Request) -> Parsed:
    """One event, or one for each of its domains."""
    body = decoded(request.body)
    if not isinstance(body, dict):
        return Parsed([Event(request.body)] if request.body.strip() else [], _answer)
    given = _of(body, "d", "domain")
    url = text_of(_of(body, "u", "url"))
    domains = [domain.strip() for domain in text_of(given).split(",")]
    keys = [domain for domain in domains if domain] or [host_of(url).removeprefix("www.")]
    hit = _hit(body, url)
    found = [
        Event({**hit, "visitor_id": visitor_of(request, key, request.day_salt)}, key)
        for key in request.listed(keys, _MAX_DOMAINS)
    ]
    return Parsed(found, _answer)


def _of(body: dict[str, Any], short: str, long: str) -> Any:
    return body.get(short) if body.get(short) is not None else body.get(long)


def _hit(body: dict[str, Any], url: str) -> Hit:
    """What is the same for all domains."""
    name = text_of(_of(body, "n", "name"))
    revenue = object_of(_of(body, "$", "revenue"))
    props = object_of(_of(body, "p", "props")) or object_of(_of(body, "m", "meta"))
    props = fitted_props({k: v for k, v in props.items() if not isinstance(v, dict | list)})
    event = _NAMES.get(name) or event_of(name)
    if _of(body, "i", "interactive") is False:
        props["interactive"] = False
    if event == "user_engagement":
        props |= {"engagement_time_msec": number(body.get("e")), "percent_scrolled": _scrolled(body)}
    if event == "click":
        props = {"outbound": True, "link_url": props.pop("url", None), **props}
    hit: Hit = {
        "event": event,
        "url": url,
        "referrer": text_of(_of(body, "r", "referrer")),
    }
    hit["props"] = put_commerce(hit, props)
    if (paid := amount(revenue.get("amount"))) is not None:
        hit |= {"revenue": paid, "currency": currency_of(revenue.get("currency"))}
    return fitted(hit)


def _scrolled(body: dict[str, Any]) -> int | float | None:
    depth = number(body.get("sd"))
    return depth if depth is not None and depth <= 100 else None  # 255: unknown


def _answer(verdicts: Verdicts) -> Answer:
    """Plausible says 202 also of what it drops, and counts it in a header."""
    refused = [verdict for verdict in verdicts if verdict is not None]
    if not verdicts or (len(refused) == len(verdicts) and refused[0].reason in _MALFORMED):
        field = refused[0].field or "body" if refused else "body"
        return Answer(400, b'{"errors":{"%s":["is invalid"]}}' % field.encode(), "application/json")
    return _OK._replace(headers={"x-plausible-dropped": str(len(refused))}) if refused else _OK


_MALFORMED = frozenset({"not_json", "not_object", "missing_field", "wrong_type", "bad_value"})

ROUTES = (route("plausible", "POST", r"(/.*)?/api/event/?", parse),)
