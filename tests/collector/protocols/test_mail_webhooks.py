"""Webhooks of Mailgun, SendGrid and Postmark: signed bodies of their documentation's shapes, field by field."""

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.collector.protocols.signatures import MAX_AGE_MS, MAX_AHEAD_MS

from .kit import NOW_MS, Judged, judged
from .signed_kit import SECRET, Shop, judged_for

NOW_S = NOW_MS // 1_000
KEY = ec.derive_private_key(4711, ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def mailgun(event: dict[str, Any], *, secret: bytes = SECRET, at: int = NOW_S, site: str = "shop") -> Judged:
    token = "c" * 50
    signature = hmac.new(secret, f"{at}{token}".encode(), sha256).hexdigest()
    signed = {"timestamp": str(at), "token": token, "signature": signature}
    return judged_for(Shop(), "POST", f"/webhooks/mailgun/{site}", {"signature": signed, "event-data": event})


def sendgrid(*events: Any, at: int = NOW_S, tamper: bytes = b"") -> Judged:
    body = msgspec.json.encode(list(events))
    signature = b64encode(KEY.sign(str(at).encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
    }
    asked = {name.replace("-", "_"): value for name, value in headers.items()}
    return judged_for(Shop(PUBLIC), "POST", "/webhooks/sendgrid/shop", body + tamper, **asked)


def postmark(record: dict[str, Any], **headers: str) -> Judged:
    headers = headers or {"Authorization": "Basic " + b64encode(b"hook:" + SECRET).decode()}
    return judged_for(Shop(), "POST", "/webhooks/postmark/shop", record, **headers)


OPENED = {
    "event": "opened", "id": "Ase7i2zsRYeDXztHGENqRA", "timestamp": NOW_S - 60.25, "recipient": "Alice@Example.com",
    "message": {"headers": {"message-id": "20130503182626.18666.16540@example.com"}},
    "tags": ["spring", "news"], "user-variables": {"plan": "pro"}, "ip": "50.56.129.169",
    "geolocation": {"country": "US", "city": "Austin"},
    "client-info": {"user-agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "bot": ""},
}  # fmt: skip


def test_mailgun_open() -> None:
    result = mailgun(OPENED)
    assert (result.answer.status, result.parsed.events[0].is_signed) == (200, True)
    hit = result.hit
    assert len(hit.pop("hit_id")) == 32
    assert hit.pop("received_time") == NOW_MS
    hit.pop("user_agent")  # of the request's own stamp
    assert hit == {
        "site": "shop",
        "event": "email_open",
        "user_id": "alice@example.com",
        "time": NOW_MS - 60_250,
        "channel": "email",
        "campaign": {"medium": "email", "name": "spring"},
        "ip": "50.56.129.169",
        "country": "US",
        "props": {
            "email_id": "20130503182626.18666.16540@example.com",
            "provider": "mailgun",
            "tags": ["spring", "news"],
            "client": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)",
            "plan": "pro",
        },
    }


@pytest.mark.parametrize(
    ("event", "name", "bounce"),
    [
        ({"event": "accepted"}, "email_sent", None),
        ({"event": "delivered"}, "email_delivered", None),
        ({"event": "clicked", "url": "https://shop.example/"}, "email_click", None),
        ({"event": "complained"}, "email_complaint", None),
        ({"event": "unsubscribed"}, "email_unsubscribe", None),
        ({"event": "failed", "severity": "permanent"}, "email_bounce", "hard"),
        ({"event": "failed", "severity": "temporary"}, "email_bounce", "soft"),
    ],
)
def test_mailgun_events(event: dict[str, Any], name: str, bounce: str | None) -> None:
    hit = mailgun({"id": "1", "recipient": "a@b.example", **event}).hit
    assert (hit["event"], hit["props"].get("bounce"), hit.get("url")) == (name, bounce, event.get("url"))


def test_who_it_is_stands_among_the_senders_own_data() -> None:
    hit = mailgun({**OPENED, "user-variables": {"user_id": 42, "campaign": "may"}}).hit
    assert (hit["user_id"], hit["campaign"]["name"]) == ("42", "may")
    anonymous = mailgun({**OPENED, "user-variables": {"visitor_id": "v"}}).hit
    assert (anonymous.get("user_id"), anonymous["visitor_id"]) == (None, "v")


def test_sent_again_is_the_same_hit() -> None:
    first, again = mailgun(OPENED).hit, mailgun(OPENED, at=NOW_S - 900).hit
    assert first["hit_id"] == again["hit_id"]
    assert mailgun({**OPENED, "timestamp": NOW_S}).hit["hit_id"] != first["hit_id"]


def test_unknown_event_is_a_dead_letter_and_not_sent_again() -> None:
    result = mailgun({"event": "stored"})
    assert (result.answer.status, len(result.refusals)) == (200, 1)


@pytest.mark.parametrize(
    ("age_s", "status"),
    [(0, 200), (MAX_AGE_MS // 1_000, 200), (MAX_AGE_MS // 1_000 + 1, 401), (-MAX_AHEAD_MS // 1_000, 200),
     (-MAX_AHEAD_MS // 1_000 - 1, 401)],
)  # fmt: skip
def test_replay_window(age_s: int, status: int) -> None:
    assert mailgun(OPENED, at=NOW_S - age_s).answer.status == status
    assert sendgrid({"event": "open", "email": "a@b.example"}, at=NOW_S - age_s).answer.status == status


def test_wrong_signatures_are_turned_away_whole() -> None:
    wrong = [
        mailgun(OPENED, secret=b"guess"),
        mailgun(OPENED, site="other"),
        sendgrid({"event": "open"}, tamper=b" "),
        postmark({"RecordType": "Open"}, Authorization="Basic " + b64encode(b"hook:guess").decode()),
        postmark({"RecordType": "Open"}, Authorization="Basic " + b64encode(b"hook:").decode()),
        postmark({"RecordType": "Open"}, X_Webhook_Secret="guess"),
        judged("POST", "/webhooks/mailgun/shop", {}),  # no registry: no secrets
        judged("POST", "/webhooks/sendgrid/shop", b"[]"),
        judged("POST", "/webhooks/postmark/shop", {}),
        judged_for(Shop(b"no key"), "POST", "/webhooks/sendgrid/shop", b"[]"),
    ]
    assert [(one.answer.status, one.published) for one in wrong] == [(401, [])] * len(wrong)
    assert all(one.parsed.rejected and SECRET not in one.answer.body for one in wrong)


def test_sendgrid_list_of_mixed_kinds() -> None:
    common = {
        "email": "a@b.example",
        "timestamp": NOW_S,
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
    }
    result = sendgrid(
        {**common, "event": "processed", "sg_event_id": "1", "category": "spring", "user_id": "u1"},
        {
            **common,
            "event": "click",
            "sg_event_id": "2",
            "url": "https://shop.example/a",
            "ip": "198.51.100.9",
        },
        {**common, "event": "open", "sg_event_id": "3", "sg_machine_open": True, "ip": "198.51.100.9"},
        {**common, "event": "bounce", "type": "blocked", "sg_event_id": "4", "reason": "550"},
        {**common, "event": "bounce", "type": "bounce", "sg_event_id": "5", "category": ["a", "b"]},
        {**common, "event": "group_resubscribe", "sg_event_id": "6"},
        {**common, "event": "account_status_change", "sg_event_id": "7"},
        "nonsense",
    )
    assert (result.answer.status, len(result.refusals)) == (200, 2)
    sent, click, opened, blocked, hard, again = result.hits
    assert [hit["event"] for hit in result.hits] == [
        "email_sent", "email_click", "email_open", "email_bounce", "email_bounce", "subscribe"
    ]  # fmt: skip
    assert (sent["user_id"], sent["campaign"]["name"], sent["time"]) == ("u1", "spring", NOW_MS)
    assert sent["props"]["email_id"] == "14c5d75ce93"
    assert (click["user_id"], click["url"], click["ip"]) == (
        "a@b.example",
        "https://shop.example/a",
        "198.51.100.9",
    )
    assert (opened["props"]["machine"], opened.get("ip")) == (True, None)
    assert (blocked["props"]["bounce"], hard["props"]["bounce"]) == ("soft", "hard")
    assert (hard["campaign"]["name"], again["campaign"]) == ("a", {"medium": "email"})


@pytest.mark.parametrize(
    ("record", "event", "extra"),
    [
        ({"RecordType": "Delivery", "DeliveredAt": "2026-11-21T23:59:00.1234567+00:00"}, "email_delivered", {}),
        ({"RecordType": "Open", "ReceivedAt": "2026-11-21T23:59:00.123Z", "FirstOpen": True}, "email_open",
         {"first": True}),
        ({"RecordType": "Bounce", "BouncedAt": "2026-11-21T18:59:00.123-05:00", "Type": "HardBounce"}, "email_bounce",
         {"bounce": "hard"}),
        ({"RecordType": "Bounce", "BouncedAt": "2026-11-21T23:59:00.123Z", "Type": "SoftBounce"}, "email_bounce",
         {"bounce": "soft"}),
        ({"RecordType": "SpamComplaint", "BouncedAt": "2026-11-21T23:59:00.123Z"}, "email_complaint", {}),
        ({"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-21T23:59:00.123Z", "SuppressSending": True},
         "email_unsubscribe", {}),
        ({"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-21T23:59:00.123Z", "SuppressSending": False},
         "subscribe", {}),
        ({"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-21T23:59:00.123Z", "SuppressSending": True,
          "SuppressionReason": "ManualSuppression"}, "email_unsubscribe", {"reason": "ManualSuppression"}),
        ({"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-21T23:59:00.123Z", "SuppressSending": True,
          "SuppressionReason": "HardBounce"}, "email_bounce", {"bounce": "hard", "reason": "HardBounce"}),
        ({"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-21T23:59:00.123Z", "SuppressSending": True,
          "SuppressionReason": "SpamComplaint"}, "email_complaint", {}),
    ],
)  # fmt: skip
def test_postmark(record: dict[str, Any], event: str, extra: dict[str, Any]) -> None:
    common = {"MessageID": "m-1", "Tag": "spring", "Metadata": {"plan": "pro"}, "Email": "A@b.example"}
    hit = postmark({**common, **record}).hit
    assert (hit["event"], hit["time"], hit["user_id"]) == (event, NOW_MS - 59_877, "a@b.example")
    assert (hit["campaign"]["name"], hit["props"]["email_id"], hit["props"]["plan"]) == (
        "spring",
        "m-1",
        "pro",
    )
    assert extra.items() <= hit["props"].items()


def test_postmark_click_and_header_of_ones_own() -> None:
    record = {
        "RecordType": "Click", "MessageID": "m-1", "Recipient": "a@b.example", "Geo": {"IP": "198.51.100.9"},
        "OriginalLink": "https://shop.example/a", "ReceivedAt": "2026-11-21T23:59:00Z",
    }  # fmt: skip
    hit = postmark(record, X_Webhook_Secret=SECRET.decode()).hit
    assert (hit["event"], hit["url"], hit["ip"]) == ("email_click", "https://shop.example/a", "198.51.100.9")
    other = postmark({**record, "OriginalLink": "https://shop.example/b"}).hit
    assert hit["hit_id"] != other["hit_id"]
