"""Messages of churn signals to a system of the customer, signed as Standard Webhooks says. Pure: no IO, no clock.

A message is one signal: JSON ``{"type", "timestamp", "data"}``. Its id is made of what it says, so that a message that
comes twice (a restart, an answer that was lost) has the same one: the receiver's idempotency key. The signature is
HMAC-SHA256 over ``id.timestamp.body``, in base64, after ``v1,``. Times: ms; on the wire seconds.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

SECRET_PREFIX = "whsec_"
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64  # as the standard has it
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
_NAMES = ("site", "person_id", "reason", "state")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Verdict(StrEnum):
    """What an attempt came to, and the metric's label. ``GIVEN_UP``: the signal has become too old to be told."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    REFUSED = "refused"
    GIVEN_UP = "given_up"


class Message(msgspec.Struct, frozen=True):
    """``raised_ms``: when the signal was."""

    id: str
    body: bytes
    raised_ms: int


def secret_of(text: str) -> bytes:
    """The key of ``whsec_`` and base64. ValueError says what is wrong, without the secret."""
    text = text.strip()
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}, and base64 follows")
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {SECRET_PREFIX} is not base64") from None
    if not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES:
        raise ValueError(f"a secret has {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes, not {len(secret)}")
    return secret


def message_of(signal: Mapping[str, Any]) -> Message:
    """The message of a row of ``signals``; its ``time`` in ms."""
    time_ms = int(signal["time"])
    names = "\x1f".join([*(str(signal[name]) for name in _NAMES), str(time_ms)])
    data = {name: signal[name] for name in (*_NAMES, "score")}
    data["evidence"] = msgspec.Raw(str(signal["evidence"] or "null").encode())
    at = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    body = {"type": f"churn_signal.{signal['state']}", "timestamp": at.replace("+00:00", "Z"), "data": data}
    return Message(f"msg_{blake2b(names.encode(), digest_size=16).hexdigest()}", _encode(body), time_ms)


def headers_of(message: Message, secret: bytes, now_ms: int) -> dict[str, str]:
    """Each attempt is signed anew: receivers refuse timestamps that are more than five minutes off."""
    timestamp = str(now_ms // 1000)
    signed = b".".join((message.id.encode(), timestamp.encode(), message.body))
    signature = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def verdict_of(status: int | None) -> Verdict:
    """What to make of an answer; None: there was none. 4xx is for good, but for those that ask to come back."""
    if status is not None and 200 <= status < 300:
        return Verdict.DELIVERED
    is_for_good = status is not None and 400 <= status < 500 and status not in (401, 403, 408, 425, 429)
    return Verdict.REFUSED if is_for_good else Verdict.RETRIED


def wait_seconds(attempt: int, dice: float) -> float:
    """How long to wait after failed attempt number ``attempt``, from 1; ``dice``: 0 to 1, spreads senders by half.

    1, 2, 4, … 300 seconds. 401 and 403 are tried again too: a secret that is being changed must lose nothing.
    """
    return min(FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 30), LONGEST_WAIT_SECONDS) * (1 - dice / 2)
