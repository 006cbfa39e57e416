"""What a person's state remembers of sessions and notable hits: visits and notes, in an order made of their values.

Times in ms, UTC; amounts in micros. A visit stands at its end, after the notes of that millisecond: all that happened
in it is known when it is looked at. ``known`` (orders after what it is of): it came with a user_id, or from a linked
visitor, so it stays with the person whatever is linked.
"""

from msgspec import Struct

from schemas.touchpoint import OWN, Touch


class Visit(Struct, frozen=True, array_like=True, gc=False, order=True):
    """A closed session, both ends inclusive. ``goal_time`` not OWN: it may be another's, and is nothing but a touch of
    the person's conversion at that time.
    """

    end: int
    start: int
    session_id: str
    channel: str
    known: bool
    goal_time: int = OWN

    @property
    def owned_at(self) -> int:
        """The time at which it is asked whose it is."""
        return self.start if self.goal_time == OWN else self.goal_time


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
