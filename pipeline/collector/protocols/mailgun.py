"""Mailgun's webhooks: one signed object with ``event-data``. Anything but 200 is sent again, for eight hours.

The signature covers a time and a token, not the event, so it is only as safe as the way here: use https. A token that
comes again with another event is refused.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Event, Parsed, Request, route
from pipeline.collector.protocols.fields import decoded, list_of, object_of, text_of
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.mail import OK, mail_hit, unknown
from pipeline.collector.protocols.signatures import is_hex_hmac, is_recent, seconds, site_of, unsigned

_EVENTS: Final = {
    "accepted": "email_sent", "delivered": "email_delivered", "opened": "email_open", "clicked": "email_click",
    "complained": "email_complaint", "unsubscribed": "email_unsubscribe", "failed": "email_bounce",
}  # fmt: skip


def parse(request: Request) -> Parsed:
    """One event."""
    site = site_of(request)
    secret = request.sites.secret_of(site, "mailgun")
    if secret is None:
        return unsigned("no secret of mailgun is set for this site")
    body = object_of(decoded(request.body))
    signature = object_of(body.get("signature"))
    signed_at, token = text_of(signature.get("timestamp")), text_of(signature.get("token"))
    message = (signed_at + token).encode(errors="replace")
    if not is_hex_hmac(secret, message, text_of(signature.get("signature"))):
        return unsigned("the signature is wrong")
    if not is_recent(seconds(signed_at), request.received_ms):
        return unsigned("the signature is too old")
    event = object_of(body.get("event-data"))
    named = (text_of(event.get(field)) for field in ("event", "id", "recipient", "timestamp"))
    if not request.sites.is_good_token(site, token, "\0".join(named)):
        return unsigned("the token has signed another event")
    name = _EVENTS.get(text_of(event.get("event")))
    if name is None:
        return Parsed((unknown(body, site),), OK)
    return Parsed((Event(_hit(name, event), site, is_signed=True),), OK)


def _hit(name: str, event: dict[str, Any]) -> dict[str, Any]:
    client, place = object_of(event.get("client-info")), object_of(event.get("geolocation"))
    status = object_of(event.get("delivery-status"))
    props: dict[str, Any] = {"tags": list_of(event.get("tags")), "client": text_of(client.get("user-agent"))}
    if name == "email_bounce":
        props["bounce"] = "hard" if event.get("severity") == "permanent" else "soft"
        props["reason"] = text_of(status.get("description")) or text_of(event.get("reason"))
    if client.get("bot"):
        props["machine"] = True
    tags = [text_of(tag) for tag in props["tags"]]
    data = object_of(event.get("user-variables"))
    return mail_hit(
        "mailgun",
        name,
        text_of(event.get("recipient")),
        time=instant(event.get("timestamp")),
        hit_id=text_of(event.get("id")) and f"{event['id']} {text_of(event.get('timestamp'))}",
        email_id=text_of(object_of(object_of(event.get("message")).get("headers")).get("message-id")),
        data={**data, "campaign": data.get("campaign") or (tags[0] if tags else "")},
        url=text_of(event.get("url")),
        ip=text_of(event.get("ip")),
        country=text_of(place.get("country")),
        props=props,
    )


ROUTES = (route("mailgun", "POST", r"/webhooks/mailgun/[\w.-]{1,64}/?", parse),)
