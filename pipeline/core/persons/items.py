"""What a person's state remembers of sessions and notable hits: visits and notes, in an order made of their values.

Times in ms, UTC; amounts in micros. A visit stands at its end, after the notes of that millisecond: all that happened
in it is known when it is looked at. ``known`` (last, so that it orders last): it came with a user_id, or from a linked
visitor, so it stays with the person whatever is linked.
"""

from msgspec import Struct

from schemas.touchpoint import Touch


class Visit(Struct, frozen=True, array_like=True, gc=False, order=True):
    """A closed session, both ends inclusive."""

    end: int
    start: int
    session_id: str
    channel: str
    known: bool


class Note(Struct, frozen=True, array_like=True, gc=False, order=True):
    """A notable hit; fields as in :class:`schemas.touchpoint.HitColumns`."""

    time: int
    kind: int
    event: str
    text: str
    amount: int
    currency: str
    channel: str
    goal: bool
    in_session: bool
    known: bool


EMAILS = frozenset(range(Touch.EMAIL_SENT, Touch.EMAIL_UNSUBSCRIBE + 1))
"""Kinds that are about an e-mail."""
