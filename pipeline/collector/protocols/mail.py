"""What e-mail providers' webhooks have in common: one hit about one e-mail to one recipient.

The person is the ``user_id`` or ``visitor_id`` among the data that the sender gave along with the e-mail, else the
recipient's address in lower case. ``props.email_id`` names the e-mail. The client's user agent is kept in ``props``:
opens come from providers' image proxies, which would be taken for bots.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Answer, Event, Hit
from pipeline.collector.protocols.fields import digest, encoded, fitted, text_of

OK: Final = Answer(200, b"ok", "text/plain")
_USERS: Final = ("user_id", "userId", "customer_id", "customerId")
_VISITORS: Final = ("visitor_id", "visitorId", "anonymous_id", "anonymousId")
_CAMPAIGNS: Final = ("utm_campaign", "campaign")


def mail_hit(
    provider: str,
    event: str,
    recipient: str,
    *,
    time: int | None,
    hit_id: str,
    email_id: str = "",
    data: dict[str, Any],
    **fields: Any,
) -> Hit:
    """``data``: the sender's own; ``fields``: ``url``, ``ip``, ``country``, and ``props`` of the provider."""
    rest = dict(data)
    user, visitor, campaign = _take(rest, _USERS), _take(rest, _VISITORS), _take(rest, _CAMPAIGNS)
    props = {"email_id": email_id, "provider": provider, **fields.pop("props", {}), **rest}
    return fitted({
        "event": event,
        "user_id": user or ("" if visitor else recipient.strip().lower()),
        "visitor_id": visitor,
        "hit_id": digest(provider, hit_id) if hit_id else "",
        "time": time,
        "channel": "email",
        "campaign": {"medium": "email", "name": campaign},
        "props": props,
        **fields,
    })  # fmt: skip


def unknown(event: Any, site: str) -> Event:
    """What is told and has no name here becomes a dead letter, as it came."""
    return Event(encoded(event), site, is_signed=True)


def _take(data: dict[str, Any], names: tuple[str, ...]) -> str:
    found = [text_of(data.pop(name, None)) for name in names]
    return next(filter(None, found), "")
