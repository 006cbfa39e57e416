"""GA4's browser form: ``/g/collect``, by GET or POST. One event in the query; or many, a line of the body each, with
what they share in the query.

``ep.NAME`` and ``epn.NAME`` are parameters of the event (text, numbers), ``up.`` and ``upn.`` of the user, ``pr1`` …
``pr200`` the items as codes of two letters. Time: that of arrival, in the order of the lines. The answer is always
204 and empty.
"""

import re
from typing import Any

from pipeline.collector.protocols.base import EMPTY, Event, Hit, Parsed, Request, route
from pipeline.collector.protocols.fields import (
    arrival_times,
    fitted,
    fitted_props,
    number,
    parameters,
    without_nothing,
)
from pipeline.collector.protocols.ga4_params import put_params
from pipeline.collector.protocols.visitors import visitor_of

_FIELDS = {
    "page_location": "dl", "page_referrer": "dr", "page_title": "dt", "language": "ul", "screen_resolution": "sr",
    "source": "cs", "medium": "cm", "campaign": "cn", "campaign_id": "ci", "term": "ck", "content": "cc",
    "currency": "cu", "session_id": "sid", "session_number": "sct", "coupon": "cp",
}  # fmt: skip
_READ = frozenset({*_FIELDS.values(), "tid", "en", "cid", "_fid", "uid", "_uip", "_et", "ir", "gcs"})
_ITEM = re.compile(r"pr([1-9]\d{0,2})", re.ASCII)
_ITEM_CODES = {
    "id": "item_id", "nm": "item_name", "br": "item_brand", "ca": "item_category", "c2": "item_category2",
    "c3": "item_category3", "c4": "item_category4", "c5": "item_category5", "va": "item_variant", "pr": "price",
    "qt": "quantity", "cp": "coupon", "ds": "discount", "af": "affiliation", "lo": "location_id", "lp": "index",
    "ln": "item_list_name", "li": "item_list_id", "pi": "promotion_id", "pn": "promotion_name",
    "cn": "creative_name", "cs": "creative_slot",
}  # fmt: skip
_ITEM_NUMBERS = frozenset({"price", "quantity", "discount", "index"})
_CONSENT = re.compile(r"G1[01-]([01])")
_BY_DIGIT = {"0": "denied", "1": "granted"}


def parse(request: Request) -> Parsed:
    """One event of the query, or one for each line of the body."""
    text = request.body.decode("utf-8", "replace")
    lines = list(filter(None, text.replace("\r", "\n").split("\n")))
    shared = parameters(request.query)
    if len(request.listed(lines)) > 1:  # each of them works through it
        shared = fitted_props({name: value for name, value in shared.items() if _is_read(name)})
    events = [shared | parameters(line) for line in lines]
    if not events and shared:
        events = [shared]
    arrivals = arrival_times(request.received_ms, len(events))
    found = [_event(request, given, time) for given, time in zip(events, arrivals, strict=True)]
    return Parsed(found, EMPTY)


def _is_read(name: str) -> bool:
    return name in _READ or "." in name or _ITEM.fullmatch(name) is not None


def _event(request: Request, given: dict[str, str], time: int) -> Event:
    key = given.get("tid", "")
    hit: Hit = {
        "event": given.get("en"),
        "visitor_id": given.get("cid") or given.get("_fid") or visitor_of(request, key, request.day_salt),
        "user_id": given.get("uid"),
        "time": time,
        "ip": given.get("_uip"),
    }
    if engaged := number(given.get("_et")):
        hit["props"] = {"engagement_time_msec": engaged}
    put_params(hit, _params(given))
    if given.get("ir") == "1":
        hit.pop("referrer", None)
    consent = _CONSENT.fullmatch(given.get("gcs", ""))
    return Event(fitted(hit), key, consent=_BY_DIGIT[consent[1]] if consent else "")


def _params(given: dict[str, str]) -> dict[str, Any]:
    """The parameters under the names that they have in the Measurement Protocol."""
    found: dict[str, Any] = {name: given.get(short) for name, short in _FIELDS.items()}
    user: dict[str, Any] = {}
    items: list[tuple[int, dict[str, Any]]] = []
    for name, value in given.items():
        kind, dot, param = name.partition(".")
        if dot and kind in ("ep", "epn"):
            found[param] = _value(kind == "epn", value)
        elif dot and kind in ("up", "upn"):
            user[param] = _value(kind == "upn", value)
        elif item := _ITEM.fullmatch(name):
            items.append((int(item[1]), _item(value)))
    items.sort(key=lambda one: one[0])
    return without_nothing(found | {"items": [item for _, item in items], "user_properties": user})


def _value(is_number: bool, text: str) -> Any:
    found = number(text) if is_number else None
    return text if found is None else found


def _item(text: str) -> dict[str, Any]:
    """``idSKU1~nmShirt~pr24.5~qt2~k0color~v0red``."""
    item: dict[str, Any] = {}
    own: dict[str, str] = {}
    for part in text.split("~"):
        code, value = part[:2], part[2:]
        if name := _ITEM_CODES.get(code):
            item[name] = _value(name in _ITEM_NUMBERS, value)
        elif code.startswith("k"):
            own[code[1:]] = value
        elif code.startswith("v") and (name := own.get(code[1:])):
            item[name] = value
    return item


ROUTES = (route("ga4", "GET POST", r"(/.*)?/g/collect", parse),)
