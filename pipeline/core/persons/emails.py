"""E-mails of one person, each counted once however often it is opened.

An e-mail counts in the pane of its delivery; where none is known, of its sending; else of the first that was heard of
it. So the opened are a part of the delivered, in every window. What changes is taken back and put in anew. An e-mail
not heard of for REMEMBERED_MS before the newest one is forgotten. Times in ms.
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
FIGURES: Final = ("delivered", "opened", "opened_by_machine", "clicked", "bounced", "complained")


class Email(Struct, array_like=True, gc=False):
    """Least times, and which of the FIGURES are so, as bits."""

    first: int = _NEVER
    sent: int = _NEVER
    delivered: int = _NEVER
    bits: int = 0


def take(emails: dict[str, Email], message: str, kind: int, time: int) -> list[tuple[int, list[int]]]:
    """Note what happened to the e-mail; (time, figures to add) of what changes in the windows."""
    email = emails.get(message)
    if email is None:
        before: list[tuple[int, list[int]]] = []
        for old in [name for name, known in emails.items() if known.first < time - REMEMBERED_MS]:
            del emails[old]
        email = emails[message] = Email()
    else:
        before = [figures(email)]
    email.first = min(email.first, time)
    if kind == Touch.EMAIL_SENT:
        email.sent = min(email.sent, time)
    elif kind == Touch.EMAIL_DELIVERED:
        email.delivered = min(email.delivered, time)
    elif kind in _PLACE:
        email.bits |= 1 << _PLACE[Touch(kind)]
    after = figures(email)
    if before and before[0] == after:
        return []
    return [(at, [-one for one in sums]) for at, sums in before] + [after]


def figures(email: Email) -> tuple[int, list[int]]:
    """When the e-mail counts, and as what. Opened by somebody is not opened by a machine; a click is an opening."""
    known = min(time for time in (email.delivered, email.sent, email.first) if time != _NEVER)
    time = next(time for time in (email.delivered, email.sent, known) if time != _NEVER)
    bits = email.bits
    is_bounced, is_opened = bits >> 4 & 1, bits >> 1 & 1 | bits >> 3 & 1
    is_delivered = int(email.delivered != _NEVER or not is_bounced)
    return time, [
        is_delivered,
        is_opened,
        bits >> 2 & 1 & ~is_opened,
        bits >> 3 & 1,
        is_bounced,
        bits >> 5 & 1,
    ]
