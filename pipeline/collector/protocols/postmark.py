"""Postmark's webhooks: one object with a ``RecordType``. They carry no signature: the site's secret is the password
of the basic authentication in the webhook's address, or the value of a header ``X-Webhook-Secret`` of its own.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Event, Parsed, Request, route
from pipeline.collector.protocols.encodings import unwrapped
from pipeline.collector.protocols.fields import decoded, object_of, text_of
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.mail import OK, mail_hit, unknown
from pipeline.collector.protocols.signatures import same, site_of, unsigned

# record -> (event, its time)
_EVENTS: Final = {
    "Delivery": ("email_delivered", "DeliveredAt"), "Open": ("email_open", "ReceivedAt"),
    "Click": ("email_click", "ReceivedAt"), "Bounce": ("email_bounce", "BouncedAt"),
    "SpamComplaint": ("email_complaint", "BouncedAt"), "SubscriptionChange": ("email_unsubscribe", "ChangedAt"),
}  # fmt: skip
_SUPPRESSED: Final = {"HardBounce": "email_bounce", "SpamComplaint": "email_complaint"}
_SOFT: Final = frozenset({
    "Transient", "SoftBounce", "DnsError", "AutoResponder", "AddressChange", "OpenRelayTest", "ChallengeVerification",
    "Undeliverable", "Blocked", "Subscribe", "SMTPApiError", "DMARCPolicy", "TemplateRenderingFailed",
})  # fmt: skip


def parse(request: Request) -> Parsed:
    """One record."""
    site = site_of(request)
    secret = request.sites.secret_of(site, "postmark")
    if secret is None:
        return unsigned("no secret of postmark is set for this site")
    headers = request.headers
    password = unwrapped(headers.get("Authorization", "").partition(" ")[2]).partition(":")[2]
    given = headers.get("X-Webhook-Secret", "") or password
    if not same(secret.decode(errors="replace"), given):
        return unsigned("the password is wrong")
    record = object_of(decoded(request.body))
    known = _EVENTS.get(text_of(record.get("RecordType")))
    if known is None:
        return Parsed((unknown(record, site),), OK)
    name, time = known
    if name == "email_unsubscribe":
        name = _change_of(record)
    return Parsed((Event(_hit(name, record, instant(record.get(time))), site, is_signed=True),), OK)


def _change_of(record: dict[str, Any]) -> str:
    """An address is suppressed after a bounce or a complaint, too: then nobody has unsubscribed."""
    if record.get("SuppressSending") is False:
        return "subscribe"
    return _SUPPRESSED.get(text_of(record.get("SuppressionReason")), "email_unsubscribe")


def _hit(name: str, record: dict[str, Any], time: int | None) -> dict[str, Any]:
    place = object_of(record.get("Geo"))
    props: dict[str, Any] = {
        "client": text_of(record.get("UserAgent")),
        "stream": text_of(record.get("MessageStream")),
    }
    if name == "email_bounce":
        props["bounce"] = "soft" if text_of(record.get("Type")) in _SOFT else "hard"
        reasons = map(text_of, map(record.get, ("Description", "Type", "SuppressionReason")))
        props["reason"] = next(filter(None, reasons), "")
    if name == "email_open":
        props["first"] = record.get("FirstOpen") is True
    if name == "email_unsubscribe":
        props["reason"] = text_of(record.get("SuppressionReason"))
    message = text_of(record.get("MessageID"))
    recipient = text_of(record.get("Recipient")) or text_of(record.get("Email"))
    data = object_of(record.get("Metadata"))
    link = text_of(record.get("OriginalLink"))
    return mail_hit(
        "postmark",
        name,
        recipient,
        time=time,
        hit_id=f"{message} {recipient} {name} {time} {link}" if message else "",
        email_id=message,
        data={**data, "campaign": data.get("campaign") or text_of(record.get("Tag"))},
        url=link,
        ip=text_of(place.get("IP")),
        props=props,
    )


ROUTES = (route("postmark", "POST", r"/webhooks/postmark/[\w.-]{1,64}/?", parse),)
