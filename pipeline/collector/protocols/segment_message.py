"""One message of Segment's specification -> one hit. RudderStack and Jitsu speak the same, with another rule of time.

``page`` and ``screen`` become views, ``track`` its event by :mod:`.commerce`; ``identify``, ``group`` and ``alias``
become ``identify``, which links the ids it holds and makes no session. ``hit_id`` is the ``messageId``; without one it
is made of the message, if that says its time: the same bytes sent again are then the same hit.

Time. Segment: ``timestamp``, corrected by ``sentAt`` of the message or its batch. RudderStack, known by ``channel``:
``timestamp`` as it is, else ``originalTimestamp`` corrected by ``sentAt``. Jitsu: ``timestamp`` as it is.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.commerce import event_of, put_commerce
from pipeline.collector.protocols.fields import digest, encoded, fitted, object_of, text_of
from pipeline.collector.protocols.instants import instant

TYPES: Final = frozenset({"track", "page", "screen", "identify", "group", "alias"})
_VIEWS: Final = {"page": "page_view", "screen": "screen_view"}
# RudderStack writes one of these into each message.
_CHANNELS: Final = frozenset({"web", "server", "mobile", "sources"})
_PAGE: Final = frozenset(
    {"url", "title", "referrer", "path", "search", "hash", "tab_url", "referring_domain"}
)
# Of the context these have a place in the hit, repeat what has one, or tell of the library alone.
_KNOWN_CONTEXT: Final = frozenset({
    "page", "userAgent", "userAgentData", "locale", "screen", "campaign", "ip", "traits", "library", "clientIds",
    "sessionStart",
})  # fmt: skip
_CAMPAIGN: Final = ("source", "medium", "name", "term", "content", "id")
_DIRECT = "$direct"


def hit_of(message: dict[str, Any], *, sent_at: int | None = None, is_corrected: bool = True) -> Hit:
    """The hit of a message. ``sent_at``: of its batch, ms. ``is_corrected``: clocks of this family are."""
    context = object_of(message.get("context"))
    properties = object_of(message.get("properties"))
    kind = message.get("type")
    hit: Hit = {"visitor_id": text_of(message.get("anonymousId")), "user_id": text_of(message.get("userId"))}
    _put_time(hit, message, sent_at, is_corrected)
    _put_context(hit, context)
    if kind == "track":
        hit["event"] = event_of(text_of(message.get("event")))
        hit["props"] = put_commerce(hit, properties)
    elif kind in _VIEWS:
        hit["event"] = _VIEWS[kind]
        _put_view(hit, message, properties)
    elif kind in TYPES:
        hit["event"] = "identify"
        _put_identity(hit, message, context)
    hit["hit_id"] = _hit_id(message)
    rest = {name: value for name, value in context.items() if name not in _KNOWN_CONTEXT}
    if rest:
        hit["props"] = {**hit.get("props", {}), "context": rest}
    return fitted(hit)


def consent_of(message: dict[str, Any]) -> str:
    """What the message says of analytics: Segment's ``context.consent.categoryPreferences``."""
    consent = object_of(object_of(message.get("context")).get("consent"))
    for category, is_allowed in object_of(consent.get("categoryPreferences")).items():
        if "analytics" in category.lower() and isinstance(is_allowed, bool):
            return "granted" if is_allowed else "denied"
    return ""


def _put_time(hit: Hit, message: dict[str, Any], sent_at: int | None, is_corrected: bool) -> None:
    stated, original = instant(message.get("timestamp")), instant(message.get("originalTimestamp"))
    is_final = text_of(message.get("channel")) in _CHANNELS and stated is not None
    hit["time"] = stated if is_final or original is None else original
    if is_corrected and not is_final:
        hit["sent_time"] = instant(message.get("sentAt")) or sent_at


def _put_context(hit: Hit, context: dict[str, Any]) -> None:
    page, screen = object_of(context.get("page")), object_of(context.get("screen"))
    _put_page(hit, page)
    hit["user_agent"] = text_of(context.get("userAgent"))
    hit["language"] = text_of(context.get("locale"))
    hit["ip"] = text_of(context.get("ip"))
    width, height = text_of(screen.get("width")), text_of(screen.get("height"))
    if width and height:
        hit["screen"] = f"{width}x{height}"
    campaign = object_of(context.get("campaign"))
    hit["campaign"] = {name: text_of(campaign.get(name)) for name in _CAMPAIGN}


def _put_page(hit: Hit, page: dict[str, Any]) -> None:
    """Where it says something of the page, ``page`` wins over what the hit has."""
    for name in ("url", "title", "referrer"):
        value = text_of(page.get(name))
        if value and value != _DIRECT:
            hit[name] = value


def _put_view(hit: Hit, message: dict[str, Any], properties: dict[str, Any]) -> None:
    _put_page(hit, properties)
    name = text_of(message.get("name"))
    if name and not hit.get("title"):
        hit["title"] = name
    rest = {key: value for key, value in properties.items() if key not in _PAGE and value != _DIRECT}
    hit["props"] = {**rest, "name": name, "category": text_of(message.get("category"))}


def _put_identity(hit: Hit, message: dict[str, Any], context: dict[str, Any]) -> None:
    previous = text_of(message.get("previousId"))
    if message.get("type") == "alias" and previous and previous != hit["user_id"]:
        hit["visitor_id"] = previous
    traits = object_of(message.get("traits")) or object_of(context.get("traits"))
    hit["props"] = {"group_id": text_of(message.get("groupId")), "traits": traits}


def _hit_id(message: dict[str, Any]) -> str:
    given = text_of(message.get("messageId"))
    if given or not (message.get("timestamp") or message.get("originalTimestamp")):
        return given
    return digest(encoded({name: value for name, value in message.items() if name != "sentAt"}).decode())
