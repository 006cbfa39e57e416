"""Snowplow's tracker protocol: GET ``/i`` with one event, POST ``/com.snowplowanalytics.snowplow/tp2`` with many.

Sites give the POST a path of their own, of two segments as well: such a path is Snowplow's if its body or query is.
All values are text. ``eid`` names the event, so that what a tracker sends again is a duplicate. Time: ``ttm`` as it is;
else ``dtm`` with ``stm`` as the time of sending, unless ``dtm`` is a second or more after it; else that of arrival.
An order (``tr``) and its items (``ti``) come as events of their own, often in requests of their own, and stay so: the
items are ``purchase_item`` hits that name the order. With the header ``SP-Anonymous`` no visitor is made up from the
address: each page is one.
"""

from typing import Any

import msgspec

from pipeline.collector.protocols.base import IMAGE, Answer, Event, Hit, Parsed, Request, route
from pipeline.collector.protocols.encodings import unwrapped
from pipeline.collector.protocols.fields import decoded, fitted, milliseconds, parameters, text_of
from pipeline.collector.protocols.snowplow_events import Entities, put_event
from pipeline.collector.protocols.visitors import visitor_of

_CUT_MS = 1_000  # the Python tracker sends stm in whole seconds, rounded down, and dtm in milliseconds
_OK = Answer(200, b"ok", "text/plain")
_PAYLOADS = "/payload_data/"
_STOCK = "/com.snowplowanalytics.snowplow/tp2"


def parse_get(request: Request) -> Parsed | None:
    """The pixel."""
    given = parameters(request.query)
    if not request.path.endswith(("/i", "/ice.png", _STOCK)) and not ("e" in given and "tv" in given):
        return None
    return Parsed([_event(request, given)] if given else (), IMAGE)


def parse_post(request: Request) -> Parsed | None:
    """A wrapper around a list of events. What is none is the bad row of whoever sent it, and answered with ok too."""
    body = decoded(request.body)
    events = body.get("data") if isinstance(body, dict) else None
    is_ours = isinstance(body, dict) and _PAYLOADS in text_of(body.get("schema")) and isinstance(events, list)
    if not is_ours and not request.path.endswith(_STOCK):
        return None
    if not isinstance(body, dict):
        return Parsed([Event(request.body)] if request.body.strip() else (), _OK)
    if not isinstance(events, list):
        return Parsed([_event(request, body)], _OK)
    return Parsed(
        [
            _event(request, one) if isinstance(one, dict) else Event(msgspec.json.encode(one))
            for one in request.listed(events)
        ],
        _OK,
    )


def _event(request: Request, given: dict[str, Any]) -> Event:
    """One event of flat text fields."""
    fields = {name: text_of(value) for name, value in given.items()}
    key = fields.get("aid", "")
    entities = Entities(_json(fields, "co", "cx"))
    hit: Hit = {
        "visitor_id": fields.get("duid") or fields.get("tnuid") or fields.get("nuid") or entities.device_id(),
        "user_id": fields.get("uid") or text_of(entities.first("user").get("id")),
        "hit_id": fields.get("eid"),
        "url": fields.get("url"),
        "title": fields.get("page"),
        "referrer": fields.get("refr"),
        "user_agent": fields.get("ua"),
        "language": fields.get("lang"),
        "screen": fields.get("res"),
        "ip": fields.get("ip"),
        **_times(fields),
    }
    described = _json(fields, "ue_pr", "ue_px")
    put_event(hit, fields, described, entities)
    if not hit["visitor_id"] and not hit["user_id"]:
        hit["visitor_id"] = _unnamed(request, fields, entities, key)
    return Event(fitted(hit), key, consent=entities.consent(described))


def _json(fields: dict[str, str], plain: str, wrapped: str) -> Any:
    """The value of the wrapper's ``data``; None if there is none."""
    wrapper = decoded(fields.get(plain) or unwrapped(fields.get(wrapped, "")))
    return wrapper.get("data") if isinstance(wrapper, dict) else None


def _times(fields: dict[str, str]) -> dict[str, int]:
    true, created, sent = (milliseconds(fields.get(name)) for name in ("ttm", "dtm", "stm"))
    if true is not None:
        return {"time": true}
    if created is not None and sent is not None and created < sent + _CUT_MS:
        return {"time": created, "sent_time": sent}
    return {}


def _unnamed(request: Request, fields: dict[str, str], entities: Entities, key: str) -> str:
    if "SP-Anonymous" in request.headers:
        page = text_of(entities.first("web_page").get("id")) or fields.get("eid", "")
        return f"anonymous-{page}" if page else ""
    return visitor_of(
        request, key, request.day_salt, ip=fields.get("ip", ""), user_agent=fields.get("ua", "")
    )


ROUTES = (
    route("snowplow", "GET", r"(/.*)?/(i|ice\.png)", parse_get),
    route("snowplow", "POST", r"(/.*)?/com\.snowplowanalytics\.snowplow/tp2", parse_post),
)
_TWO_SEGMENTS = r"/(?!v1/|api/)[^/]+/[^/]+"  # those two are other protocols'
OWN_PATH_ROUTES = (  # asked after all others
    route("snowplow", "GET", _TWO_SEGMENTS, parse_get),
    route("snowplow", "POST", _TWO_SEGMENTS, parse_post),
)
