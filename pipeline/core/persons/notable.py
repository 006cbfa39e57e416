"""Notable hits: those that signals, attribution, surveys, e-mails and costs are made of.

The kind follows from the event and the page alone, so it can be remembered with them (:meth:`Notables.kind`); what
else counts is read only of notable hits (:func:`details`). Amounts are micros. Nothing raises.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from pipeline.core.devices import MAIL_PRIVACY
from pipeline.core.globs import GlobSet, path_of
from pipeline.core.goals import VIEWS
from pipeline.core.money import micros
from pipeline.core.persons.items import EMAILS
from pipeline.core.scores import normalised_score
from schemas.hit import ABSENT
from schemas.touchpoint import Touch

SURVEY: Final = -1  # of a metric that only the hit's props tell: no kind a touchpoint may have
CANCEL_URLS: Final = ("*/cancel*", "*/unsubscribe*", "*/close-account*", "*/delete-account*")
_EVENTS: Final = {
    "purchase": Touch.ORDER,
    "refund": Touch.REFUND,
    "add_to_cart": Touch.CART,
    "begin_checkout": Touch.CART,
    "survey_response": SURVEY,
    "complaint": Touch.COMPLAINT,
    "support_ticket_open": Touch.TICKET_OPEN,
    "support_ticket_close": Touch.TICKET_CLOSE,
    "payment_failed": Touch.PAYMENT_FAILED,
    "subscription_renew": Touch.RENEWAL,
    "subscription_cancel": Touch.LEAVING,
    "email_sent": Touch.EMAIL_SENT,
    "email_delivered": Touch.EMAIL_DELIVERED,
    "email_open": Touch.EMAIL_OPEN,
    "email_click": Touch.EMAIL_CLICK,
    "email_bounce": Touch.EMAIL_BOUNCE,
    "email_complaint": Touch.EMAIL_COMPLAINT,
    "email_unsubscribe": Touch.EMAIL_UNSUBSCRIBE,
    "ad_cost": Touch.COST,
}
_METRICS: Final = {"csat": Touch.CSAT, "ces": Touch.CES, "nps": Touch.NPS}
_TICKETS: Final = (Touch.TICKET_OPEN, Touch.TICKET_CLOSE)
_MONEY: Final = (Touch.ORDER, Touch.GOAL, Touch.REFUND, Touch.COST)


class _Props(msgspec.Struct, gc=False):
    """Of any types: one that is odd must not silence the others."""

    metric: Any = ""
    ticket_id: Any = ""
    email_id: Any = ""
    message_id: Any = ""
    subscription_id: Any = ""
    machine: Any = False  # the sender's service says so


_NO_PROPS: Final = _Props()
_decode = msgspec.json.Decoder(_Props).decode


class Notables:
    """``cancel_urls``: globs on the path of a view of a page on which people leave."""

    __slots__ = ("_cancel",)

    def __init__(self, cancel_urls: Iterable[str] = CANCEL_URLS) -> None:
        self._cancel = GlobSet(tuple(cancel_urls))

    def kind(self, event: str, url: str, goal: bool) -> int:
        """A :class:`Touch` or :data:`SURVEY`; ``Touch.NONE``: the hit is not notable."""
        kind = _EVENTS.get(event, Touch.NONE)
        if kind is Touch.NONE and event in VIEWS and url and self._cancel.matching(path_of(url)):
            kind = Touch.LEAVING
        return Touch.GOAL if goal and kind is Touch.NONE else kind


class Words(NamedTuple):
    """What a notable hit may say, as in :class:`schemas.hit.Hit`; ``campaign``: its id, else its name."""

    event: str
    url: str
    campaign: str = ""
    revenue: float | None = None
    order_id: str | None = None
    score: float | None = None
    scale: float | None = None
    user_agent: str | None = None
    props: Raw = ABSENT


def details(kind: int, hit: Words, *, goal: bool) -> tuple[int, int, str]:
    """Kind, amount and text of a notable hit as a touchpoint; kind ``Touch.NONE``: it is none after all.

    Any hit that is a goal has its revenue as the amount, except an answer, which has its score.
    """
    props = _read(hit.props)
    amount = micros(hit.revenue or 0.0) if goal or kind in _MONEY else 0
    text = ""
    if kind == SURVEY:
        metric = _text(props.metric)
        score = normalised_score(metric, hit.score, hit.scale)
        if score is not None:
            return _METRICS[metric], micros(score), ""
        kind, text = Touch.GOAL if goal else Touch.NONE, hit.order_id or ""
    elif kind in _MONEY:
        # A refund says what was given back; some senders say so with a minus.
        amount, text = abs(amount) if kind == Touch.REFUND else amount, hit.order_id or ""
    elif kind in _TICKETS:
        text = _text(props.ticket_id)
    elif kind in (Touch.PAYMENT_FAILED, Touch.RENEWAL):
        text = hit.order_id or _text(props.subscription_id)
    elif kind == Touch.LEAVING:
        text = path_of(hit.url) if hit.event in VIEWS else hit.event
    elif kind in EMAILS:
        text = _message(hit.campaign, props)
        if kind == Touch.EMAIL_OPEN and (_is_set(props.machine) or is_machine(hit.user_agent or "")):
            kind = Touch.EMAIL_MACHINE_OPEN
    return kind, amount, text


def is_machine(user_agent: str) -> bool:
    """Does the user agent belong to a proxy that opens e-mails by itself, and is not on the list of bots?"""
    return user_agent.strip() == MAIL_PRIVACY[0]


def _message(campaign: str, props: _Props) -> str:
    """What names the e-mail: its id, or else the campaign, which sends one to each person."""
    return _text(props.email_id) or _text(props.message_id) or campaign


def _text(value: Any) -> str:
    """A text or a whole number, as the views read it: anything else says nothing."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def _is_set(value: Any) -> bool:
    """True, or a whole number that is not 0, as the views read it."""
    return isinstance(value, int) and bool(value)


def _read(props: Raw) -> _Props:
    if props is ABSENT:
        return _NO_PROPS
    try:
        return _decode(props)
    except (msgspec.DecodeError, RecursionError):
        return _NO_PROPS
