"""Touchpoints: closed sessions, notable hits, links of ids. From the sessionizer to the persons (``touchpoints``).

A message (:class:`Touchpoints`) is what one unit of work of one source tells one partition, column by column: the
n-th values of a table's columns belong together, all columns of a table are equally long. ``key`` is ``site``, 0x1F
and an id; it names the partition (CRC-32) and the state. Whose it is:

* a session or hit with a ``user_id`` goes to that user (``known`` true), any other to its visitor (``known`` false);
* a session goes also to whose its conversions may be but it is not, once for each such conversion;
* a link goes to its visitor.

A session is told when it closes (``sign`` 1). When it is opened again, extended or merged, what was told is taken back
first, under the key it was told under (``sign`` -1, same ``session_id``), as with the facts of the counters. A hit is
told once (``sign`` 1) and at once, late ones too; bots' never, but for the e-mails they open. A link is told when a
hit has both ids and they differ; the same link again, or one no earlier than what was told, may be left out: the least
time of each pair counts.

Every partition hears of a new ``watermark``, also with empty tables: time passes for persons who do nothing.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct, field

OWN: Final = -1  # before all times


class Touch(IntEnum):
    """Kinds of notable hits: what ``amount`` (micros) and ``text`` hold, where they hold anything."""

    NONE = 0
    ORDER = 1  # revenue, order id
    GOAL = 2  # revenue; any other conversion
    REFUND = 3  # what was given back, order id
    CART = 4  # a cart or checkout begun
    CSAT = 5  # normalised score, 1 to 10
    CES = 6  # normalised score, 1 to 10
    NPS = 7  # normalised score, 0 to 10
    COMPLAINT = 8
    TICKET_OPEN = 9  # ticket id
    TICKET_CLOSE = 10  # ticket id
    PAYMENT_FAILED = 11  # order or subscription id
    RENEWAL = 12  # a subscription goes on: order or subscription id
    LEAVING = 13  # a cancel page (its path), a cancelled subscription
    EMAIL_SENT = 14  # e-mails: message id
    EMAIL_DELIVERED = 15
    EMAIL_OPEN = 16
    EMAIL_MACHINE_OPEN = 17  # by a privacy proxy or a scanner
    EMAIL_CLICK = 18
    EMAIL_BOUNCE = 19
    EMAIL_COMPLAINT = 20
    EMAIL_UNSUBSCRIBE = 21
    COST = 22  # what was spent, by channel
    REGRESSED = 23  # moved back a stage: the model; from the journeys


class SessionColumns(Struct, array_like=True, gc=False):
    """Closed sessions. Times in ms, both ends inclusive.

    ``goal_time`` OWN: a visit of the person, or visitor. Else only the conversion in it at that time may be theirs.
    """

    key: list[str] = []
    known: list[bool] = []
    session_id: list[str] = []
    start: list[int] = []
    end: list[int] = []
    channel: list[str] = []
    sign: list[int] = []
    goal_time: list[int] = []  # missing in messages of older versions


class HitColumns(Struct, array_like=True, gc=False):
    """``kind``: a :class:`Touch`. ``goal``: is it a conversion? ``in_session``: false for late and background hits."""

    key: list[str] = []
    known: list[bool] = []
    time: list[int] = []
    kind: list[int] = []
    goal: list[bool] = []
    in_session: list[bool] = []
    event: list[str] = []
    channel: list[str] = []
    amount: list[int] = []
    currency: list[str] = []
    text: list[str] = []
    sign: list[int] = []


class LinkColumns(Struct, array_like=True, gc=False):
    """Hits that had both ids. ``key`` is the visitor's; ``time`` is the hit's."""

    key: list[str] = []
    user_id: list[str] = []
    time: list[int] = []


class ClaimColumns(Struct, array_like=True, gc=False):
    """From a linked visitor to its user: it is linked since then. ``key`` is the user's."""

    key: list[str] = []
    visitor_id: list[str] = []
    since: list[int] = []


class AnswerColumns(Struct, array_like=True, gc=False):
    """From a user to a visitor: is it one too many? ``key`` is the visitor's."""

    key: list[str] = []
    user_id: list[str] = []
    is_refused: list[bool] = []


class WordColumns(Struct, array_like=True, gc=False):
    """From an operator (``masir unlink``): what holds of a pair, whatever hits say. ``key`` is the visitor's."""

    key: list[str] = []
    user_id: list[str] = []
    time: list[int] = []
    is_unlinked: list[bool] = []


class Touchpoints(Struct, array_like=True, gc=False):
    """``source``: as in the facts, "sessionizer-0". ``watermark``: of that source, ms; None before its first hit.

    ``is_passed_on``: sessions and hits that have been told before, and now belong to another person. The tables after
    it are for the persons among themselves.
    """

    source: str
    watermark: int | None
    sessions: SessionColumns = field(default_factory=SessionColumns)
    hits: HitColumns = field(default_factory=HitColumns)
    links: LinkColumns = field(default_factory=LinkColumns)
    is_passed_on: bool = False
    claims: ClaimColumns = field(default_factory=ClaimColumns)
    answers: AnswerColumns = field(default_factory=AnswerColumns)
    words: WordColumns = field(default_factory=WordColumns)
