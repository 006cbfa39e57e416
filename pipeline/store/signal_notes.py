"""Notable hits and visits of persons as the checks of ``masir verify`` read them: SQL over the stored hits.

A note is (``site``, ``person_id``, ``at`` in ms, ``kind``, ``event``, ``text``, ``amount``): its kind is the number of
a :class:`schemas.touchpoint.Touch`, ``text`` what its hit names, ``amount`` a score in micros, on the common scale.
Notes of one millisecond stand in the order of these columns. Nothing of ``pipeline.core.persons`` is used here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.core.globs import PATH_PATTERN
from pipeline.store.sql import ACCEPTED, like, text
from schemas.touchpoint import Touch

_KINDS: Final[Mapping[str, Touch]] = {
    "purchase": Touch.ORDER,
    "add_to_cart": Touch.CART,
    "begin_checkout": Touch.CART,
    "complaint": Touch.COMPLAINT,
    "support_ticket_open": Touch.TICKET_OPEN,
    "support_ticket_close": Touch.TICKET_CLOSE,
    "payment_failed": Touch.PAYMENT_FAILED,
    "subscription_renew": Touch.RENEWAL,
    "subscription_cancel": Touch.LEAVING,
    "email_complaint": Touch.EMAIL_COMPLAINT,
    "email_unsubscribe": Touch.EMAIL_UNSUBSCRIBE,
}
_METRICS: Final[Mapping[str, Touch]] = {"csat": Touch.CSAT, "ces": Touch.CES, "nps": Touch.NPS}
_IDS: Final = ("ticket_id", "email_id", "message_id", "subscription_id")
_TEXTS: Final = "('String', 'Int64', 'UInt64')"


def notes(cancel_urls: Iterable[str], regress_models: Iterable[str]) -> str:
    """All notes that signals follow from. An id in props is a text or a whole number; anything else says nothing."""
    path = f"extract(url, {text(PATH_PATTERN)})"
    ids = ", ".join(
        f"if(JSONType(props, '{name}') IN {_TEXTS}, JSONExtractString(props, '{name}'), '') AS {name}"
        for name in _IDS
    )
    kind = f"""
        multiIf(
            event = 'survey_response', if(ifNull(is_valid, 0), {_numbers("metric", _METRICS)}, 0),
            event IN {_list(_KINDS)}, {_numbers("event", _KINDS)},
            event = 'subscribe', {Touch.GOAL:d},
            {Touch.LEAVING:d}
        )"""
    mark = "(lowest + (score - lowest) * (10. - lowest) / (highest - lowest))"
    name_of_mail = "arrayFirst(name -> name != '', [email_id, message_id, campaign_id, campaign_name])"
    return f"""
    SELECT
        site, person_id, toUnixTimestamp64Milli(event_time) AS at, {kind}::UInt8 AS kind, event,
        multiIf(
            kind = {Touch.ORDER:d}, order_id,
            kind IN ({Touch.TICKET_OPEN:d}, {Touch.TICKET_CLOSE:d}), ticket_id,
            kind IN ({Touch.PAYMENT_FAILED:d}, {Touch.RENEWAL:d}), if(order_id != '', order_id, subscription_id),
            kind = {Touch.LEAVING:d}, if(is_cancel_page, path, event),
            kind IN ({Touch.EMAIL_COMPLAINT:d}, {Touch.EMAIL_UNSUBSCRIBE:d}), {name_of_mail},
            ''
        ) AS text,
        ifNull(if(event = 'survey_response', toInt64(round({mark} * 1000000)), 0), 0) AS amount
    FROM
    (
        SELECT
            *,
            if(url = '', '', if({path} = '', '/', {path})) AS path,
            event IN ('page_view', 'screen_view') AND {_any_of(f"path LIKE {like(glob)}" for glob in cancel_urls)}
                AS is_cancel_page,
            {ids},
            JSONExtractString(props, 'metric') AS metric,
            if(metric = 'nps', 0., 1.) AS lowest,
            ifNull(scale, 10.) AS highest,
            metric IN {_list(_METRICS)} AND highest > lowest AND score >= lowest AND score <= highest AS is_valid
        FROM hits
        WHERE {ACCEPTED}
            AND (event IN {_list([*_KINDS, "survey_response"])} OR (event = 'subscribe' AND goal = 1) OR is_cancel_page)
    )
    WHERE kind != 0
    UNION ALL
    SELECT
        site, person_id, toUnixTimestamp64Milli(transitions.time) AS at, {Touch.REGRESSED:d}::UInt8 AS kind,
        'regress' AS event, model AS text, 0 AS amount
    FROM transitions
    WHERE transitions.kind = 'regress' AND model IN {_list(regress_models)}
    """


def _numbers(column: str, kinds: Mapping[str, Touch]) -> str:
    values = ", ".join(str(int(kind)) for kind in kinds.values())
    return f"transform({column}, [{', '.join(map(text, kinds))}], [{values}], 0)"


def _list(values: Iterable[str]) -> str:
    return f"({', '.join(map(text, values)) or text('')})"


def _any_of(said: Iterable[str]) -> str:
    return f"({' OR '.join(said) or '0'})"
