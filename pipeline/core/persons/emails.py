"""E-mails of one person, each counted once however often it is opened.

An e-mail counts in the pane of its delivery; where none is known, of its sending; where neither is, nowhere. So the
opened are a part of the delivered, in every window. What changes is taken back and put in anew. An e-mail not heard of
for REMEMBERED_MS before the newest one is forgotten: whoever opens it then opens none of today's. Times in ms.
"""

from typing import Final

from msgspec import Struct

from schemas.touchpoint import Touch

REMEMBERED_MS: Final = 30 * 86_400_000
_NEVER: Final = 1 << 62
_PLACE: Final = {
    Touch.EMAIL_OPEN: 1,
    Touch.EMAIL_MACHINE_OPEN: 2,
    Touch.EMAIL_CLICK: 3,
    Touch.EMAIL_BOUNCE: 4,
    Touch.EMAIL_COMPLAINT: 5,
}
_ARRIVED: Final = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5
FIGURES: Final = ("delivered", "opened", "opened_by_machine", "clicked", "bounced", "complained")


class Email(Struct, array_like=True, gc=False):
    """When it was last heard of, least times, and which of the FIGURES are so, as bits."""

    heard: int = -_NEVER
    sent: int = _NEVER
    delivered: int = _NEVER
    bits: int = 0


def take(emails: dict[str, Email], message: str, kind: int, time: int) -> list[tuple[int, list[int]]]:
    """Note what happened to the e-mail; (time, figures to add) of what changes in the windows."""
    email = emails.get(message)
    if email is None:
        for old in [name for name, known in emails.items() if known.heard < time - REMEMBERED_MS]:
            del emails[old]
        email = emails[message] = Email()
    before = figures(email)
    email.heard = max(email.heard, time)
    if kind == Touch.EMAIL_SENT:
        email.sent = min(email.sent, time)
    elif kind == Touch.EMAIL_DELIVERED:
        email.delivered = min(email.delivered, time)
    elif kind in _PLACE:
        email.bits |= 1 << _PLACE[Touch(kind)]
    after = figures(email)
    if before == after:
        return []
    return [(at, [-one for one in sums]) for at, sums in before] + after


def figures(email: Email) -> list[tuple[int, list[int]]]:
    """When the e-mail counts, and as what. Opened by somebody is not opened by a machine; a click is an opening. One
    that was opened or complained of has arrived, after a bounce too.
    """
    time = email.sent if email.delivered == _NEVER else email.delivered
    if time == _NEVER:
        return []
    bits = email.bits
    is_bounced, is_opened = bits >> 4 & 1, bits >> 1 & 1 | bits >> 3 & 1
    is_delivered = int(email.delivered != _NEVER or not is_bounced or bits & _ARRIVED != 0)
    sums = [
        is_delivered,
        is_opened,
        bits >> 2 & 1 & ~is_opened,
        bits >> 3 & 1,
        is_bounced,
        bits >> 5 & 1,
    ]
    return [(time, sums)]
