"""SendGrid's event webhook: a signed list of flat events, mixed kinds, the sender's own data among the fields.

The site's secret is the *verification key* that SendGrid shows: a public key, ECDSA on P-256.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Event, Parsed, Request, route
from pipeline.collector.protocols.fields import decoded, list_of, text_of
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.mail import OK, mail_hit, unknown
from pipeline.collector.protocols.signatures import is_ecdsa, is_recent, seconds, site_of, unsigned

_EVENTS: Final = {
    "processed": "email_sent", "delivered": "email_delivered", "open": "email_open", "click": "email_click",
    "spamreport": "email_complaint", "unsubscribe": "email_unsubscribe", "group_unsubscribe": "email_unsubscribe",
    "group_resubscribe": "subscribe", "bounce": "email_bounce", "blocked": "email_bounce", "dropped": "email_bounce",
    "deferred": "email_bounce",
}  # fmt: skip
_KNOWN: Final = frozenset({
    "email", "timestamp", "event", "sg_event_id", "sg_message_id", "smtp-id", "url", "ip", "useragent", "category",
    "sg_machine_open", "type", "reason", "status", "response", "attempt", "tls", "cert_err", "url_offset",
    "sg_content_type", "asm_group_id", "bounce_classification", "send_at", "pool", "sg_template_id",
    "sg_template_name", "marketing_campaign_id", "marketing_campaign_name", "singlesend_id", "singlesend_name",
})  # fmt: skip


def parse(request: Request) -> Parsed:
    """A list of events."""
    site = site_of(request)
    key = request.sites.secret_of(site, "sendgrid")
    if key is None:
        return unsigned("no secret of sendgrid is set for this site")
    signed_at = request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp", "")
    signature = request.headers.get("X-Twilio-Email-Event-Webhook-Signature", "")
    if not is_ecdsa(key, signed_at.encode(errors="replace") + request.body, signature):
        return unsigned("the signature is wrong")
    if not is_recent(seconds(signed_at), request.received_ms):
        return unsigned("the signature is too old")
    body = decoded(request.body)
    events = body if isinstance(body, list) else [body]
    return Parsed([_event(event, site) for event in request.listed(events)], OK)


def _event(event: Any, site: str) -> Event:
    name = _EVENTS.get(text_of(event.get("event"))) if isinstance(event, dict) else None
    if name is None:
        return unknown(event, site)
    return Event(_hit(name, event), site, is_signed=True)


def _hit(name: str, event: dict[str, Any]) -> dict[str, Any]:
    data = {key: value for key, value in event.items() if key not in _KNOWN}
    categories = list_of(event.get("category")) or [event.get("category")]
    named = text_of(event.get("singlesend_name")) or text_of(event.get("marketing_campaign_name"))
    props: dict[str, Any] = {
        "client": text_of(event.get("useragent")),
        "tags": list(filter(None, categories)),
    }
    if name == "email_bounce":
        props["bounce"] = _bounce(event)
        props["reason"] = text_of(event.get("reason")) or text_of(event.get("response"))
    if event.get("sg_machine_open") is True:
        props["machine"] = True
    return mail_hit(
        "sendgrid",
        name,
        text_of(event.get("email")),
        time=instant(event.get("timestamp")),
        hit_id=text_of(event.get("sg_event_id")),
        email_id=text_of(event.get("sg_message_id")).partition(".")[0] or text_of(event.get("smtp-id")),
        data={**data, "campaign": data.get("campaign") or named or text_of(categories[0])},
        url=text_of(event.get("url")),
        ip="" if "machine" in props else text_of(event.get("ip")),
        props=props,
    )


def _bounce(event: dict[str, Any]) -> str:
    kind = text_of(event.get("event"))
    if kind == "bounce":
        return "soft" if event.get("type") == "blocked" else "hard"
    return {"dropped": "dropped"}.get(kind, "soft")


ROUTES = (route("sendgrid", "POST", r"/webhooks/sendgrid/[\w.-]{1,64}/?", parse),)
