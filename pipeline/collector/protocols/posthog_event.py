"""One event of PostHog's -> one hit, or None for what is nobody's action (a group's properties).

Ids. A browser's ``$device_id`` is the visitor, its ``distinct_id`` the user once it is another one. A server's
``distinct_id`` is the user, unless the event says that there is no person. ``$identify`` and the aliases link two
ids; posthog-python names them the other way round. ``hit_id`` is the event's ``uuid``, else its ``$insert_id``.

Time: ``timestamp``, corrected by when the request was sent; ``offset`` says how long ago; ``$ignore_sent_at`` and its
like switch the correction off.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.commerce import event_of, put_commerce
from pipeline.collector.protocols.fields import digest, fitted, list_of, number, object_of, text_of
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.survey_metrics import BEST, as_effort, asks_for_ease, metric_in
from pipeline.collector.protocols.urls import absolute, host_of

_NAMES: Final = {
    "$pageview": "page_view", "$screen": "screen_view", "$pageleave": "user_engagement", "$rageclick": "rage_click",
    "$identify": "identify", "$create_alias": "identify", "$merge_dangerously": "identify", "$set": "identify",
    "$groupidentify": "identify", "survey sent": "survey_response",
}  # fmt: skip
_ALIASES: Final = frozenset({"$create_alias", "$merge_dangerously"})
_AUTOCAPTURED: Final = {"click": "click", "submit": "form_submit", "change": "form_change"}
_CAMPAIGN: Final = {
    "source": "utm_source", "medium": "utm_medium", "name": "utm_campaign", "term": "utm_term",
    "content": "utm_content", "id": "utm_id",
}  # fmt: skip
# These have a place in the hit, repeat what has one, or tell of the library alone.
_KNOWN: Final = frozenset({
    "distinct_id", "token", "alias", "title", "$current_url", "$host", "$pathname", "$referrer", "$referring_domain",
    "$device_id", "$user_id", "$anon_distinct_id", "$raw_user_agent", "$browser", "$browser_version", "$os",
    "$os_version", "$device", "$device_type", "$browser_language", "$browser_language_prefix", "$screen_width",
    "$screen_height", "$viewport_width", "$viewport_height", "$lib", "$lib_version", "$lib_version__major", "$ip",
    "$insert_id", "$time", "$sent_at", "$ignore_sent_at", "$geoip_disable", "$is_identified", "$is_server",
    "$process_person_profile", "$config_defaults", "$lib_custom_api_host", "$recording_status", "$timezone_offset",
    "$session_recording_start_reason", "$initialization_time", "$configured_session_timeout_ms",
    "$web_vitals_allowed_metrics", "$prev_pageview_id", "$python_runtime", "$python_version", "$os_distro",
})  # fmt: skip
_REPEATED: Final = ("$session_entry_", "$initial_", "$sdk_debug_", "$replay_", "utm_")
_SERVERS_WORD: Final = "_server_side"
_DIRECT: Final = "$direct"
_MAX_DISTINCT_CHARS = 200
_ANSWER: Final = "$survey_response"


def hit_of(event: dict[str, Any], *, sent_ms: int | None, received_ms: int) -> Hit | None:
    """The hit of an event. ``sent_ms``: the client's clock when it sent the request."""
    properties = object_of(event.get("properties"))
    name = text_of(event.get("event"))
    if name == "$groupidentify" and not properties.get("$device_id"):
        return None
    hit: Hit = {"event": _event(name, properties), "hit_id": _hit_id(event, properties)}
    _put_ids(hit, name, event, properties)
    _put_time(hit, event, properties, sent_ms, received_ms)
    _put_context(hit, name, properties)
    rest = put_commerce(hit, properties)
    if name == "survey sent":
        _put_survey(hit, rest)
    traits = {key: event.get(key) for key in ("$set", "$set_once") if object_of(event.get(key))}
    if hit["event"] == "identify":
        rest |= traits
    hit["props"] = {key: value for key, value in rest.items() if _is_kept(key)}
    return fitted(hit)


def consent_of(event: dict[str, Any]) -> str:
    """Events without cookies are sent where analytics was not allowed."""
    return "denied" if object_of(event.get("properties")).get("$cookieless_mode") is True else ""


def _is_kept(name: str) -> bool:
    return name not in _KNOWN and not name.startswith(_REPEATED) and not name.endswith(_SERVERS_WORD)


def _event(name: str, properties: dict[str, Any]) -> str:
    if name == "$autocapture":
        return _AUTOCAPTURED.get(text_of(properties.get("$event_type")), "autocapture")
    return _NAMES.get(name) or event_of(name.removeprefix("$"))


def _hit_id(event: dict[str, Any], properties: dict[str, Any]) -> str:
    return text_of(event.get("uuid")) or text_of(properties.get("$insert_id"))


def distinct_id(event: dict[str, Any]) -> str:
    """Whom the event names, wherever it does."""
    properties = object_of(event.get("properties"))
    for place in (event, properties):
        for name in ("distinct_id", "$distinct_id"):
            if found := text_of(place.get(name)):
                return found[:_MAX_DISTINCT_CHARS]
    return ""


def _put_ids(hit: Hit, name: str, event: dict[str, Any], properties: dict[str, Any]) -> None:
    who = distinct_id(event)
    device = text_of(properties.get("$device_id"))
    if name in _ALIASES:
        visitor, user = text_of(properties.get("alias")), who
        if properties.get("$lib") == "posthog-python":
            visitor, user = user, visitor
        hit["visitor_id"] = visitor if visitor != user else ""
        hit["user_id"] = user
    elif name == "$identify":
        hit["visitor_id"] = device or text_of(properties.get("$anon_distinct_id"))
        hit["user_id"] = who
    elif device:
        hit["visitor_id"] = device
        hit["user_id"] = text_of(properties.get("$user_id")) or (who if who != device else "")
    elif _is_nobody(event, properties):
        hit["visitor_id"] = who
    else:
        hit["user_id"] = who


def _is_nobody(event: dict[str, Any], properties: dict[str, Any]) -> bool:
    """A server's event that asks for no profile of a person."""
    options = object_of(event.get("options"))
    said = (properties.get("$process_person_profile"), options.get("process_person_profile"))
    return False in said or properties.get("$is_identified") is False


def _put_time(
    hit: Hit, event: dict[str, Any], properties: dict[str, Any], sent_ms: int | None, received_ms: int
) -> None:
    options = object_of(event.get("options"))
    offset = number(event.get("offset"))
    stated = instant(event.get("timestamp")) or instant(properties.get("$time"))
    if stated is None and offset is not None:
        hit["time"] = max(received_ms - int(min(max(offset, 0), received_ms)), 0)
        return
    hit["time"] = stated
    is_fixed = properties.get("$ignore_sent_at") or options.get("disable_skew_correction")
    if not is_fixed:
        hit["sent_time"] = sent_ms


def _put_context(hit: Hit, name: str, properties: dict[str, Any]) -> None:
    url = text_of(properties.get("$current_url"))
    host = text_of(properties.get("$host"))
    hit["url"] = url or absolute(text_of(properties.get("$pathname")), host)
    hit["title"] = text_of(properties.get("title")) or text_of(properties.get("$screen_name"))
    hit["referrer"] = _referrer(name, url, properties)
    hit["user_agent"] = text_of(properties.get("$raw_user_agent"))
    hit["language"] = text_of(properties.get("$browser_language"))
    hit["ip"] = text_of(properties.get("$ip"))
    width, height = text_of(properties.get("$screen_width")), text_of(properties.get("$screen_height"))
    if width and height:
        hit["screen"] = f"{width}x{height}"
    if not url:  # in a browser they are those of an earlier page; this page's stand in its url
        hit["campaign"] = {field: text_of(properties.get(utm)) for field, utm in _CAMPAIGN.items()}


def _referrer(name: str, url: str, properties: dict[str, Any]) -> str:
    """In a single-page app the script repeats the first page's referrer, and names the page before by its path."""
    before = text_of(properties.get("$prev_pageview_pathname"))
    if name == "$pageview" and before.startswith("/") and host_of(url):
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{before}"
    referrer = text_of(properties.get("$referrer"))
    return "" if referrer == _DIRECT else referrer


def _put_survey(hit: Hit, rest: dict[str, Any]) -> None:
    """The first answer with a number is the score; the survey's name tells of what. One that is told bit by bit, a
    question at a time with all before it, counts once."""
    name = text_of(rest.get("$survey_name"))
    metric = metric_in(name)
    answer = next((key for key in _answers(rest) if number(rest[key]) is not None), "")
    score = number(rest.pop(answer)) if answer else None
    if score is not None and (submission := text_of(rest.get("$survey_submission_id"))):
        hit["hit_id"] = digest("posthog", submission, answer)
    if metric:
        rest["metric"] = metric
        hit["scale"] = BEST[metric]
    if metric == "ces" and asks_for_ease(name):
        score = as_effort(score, BEST[metric], rest)
    hit["score"] = score


def _answers(rest: dict[str, Any]) -> list[str]:
    """The properties with answers, in the order of the questions. Older clients name the first by nothing."""
    asked = [
        text_of(one.get("id")) for one in list_of(rest.get("$survey_questions")) if isinstance(one, dict)
    ]
    named = [_ANSWER, *(f"{_ANSWER}_{question}" for question in asked)]
    others = (key for key in rest if key.startswith(f"{_ANSWER}_"))
    return [key for key in dict.fromkeys((*named, *others)) if key in rest]
