"""Is it from whom it says? Signatures of webhooks and links, compared in constant time. Pure.

A site's secret comes from the registry of sites; without one, nothing is signed and nothing is taken: whoever knows
the address of a webhook could otherwise write the site's history. Signed times may be ``MAX_AGE_MS`` old: an hour
less than ``hit_id`` is remembered, so that what is sent again within it is a duplicate, and later is refused.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from pipeline.collector.protocols.base import Answer, Parsed, Request
from pipeline.collector.protocols.fields import milliseconds

HOUR_MS = 3_600_000
MAX_AGE_MS = 23 * HOUR_MS
MAX_AHEAD_MS = HOUR_MS // 12


def unsigned(message: str) -> Parsed:
    """The request is turned away. 401, so that the provider tries again: the secret may be what is wrong."""
    return Parsed(answer=Answer(401, message.encode(), "text/plain"), rejected=message)


def site_of(request: Request) -> str:
    """The site that a webhook's path ends in."""
    return request.path.rstrip("/").rpartition("/")[2]


def is_recent(time_ms: int | None, now_ms: int) -> bool:
    """Was it signed in the last 23 hours? Exactly 23 hours ago is; 5 minutes ahead is."""
    return time_ms is not None and now_ms - MAX_AGE_MS <= time_ms <= now_ms + MAX_AHEAD_MS


def seconds(text: str) -> int | None:
    """A signed time in seconds, as ms."""
    return milliseconds(text, per_second=1)


def is_hex_hmac(secret: bytes, message: bytes, signature: str) -> bool:
    """HMAC-SHA256 as hex digits of either case."""
    return same(hmac.new(secret, message, sha256).hexdigest(), signature.lower())


def is_base64_hmac(secret: bytes, message: bytes, signature: str) -> bool:
    """HMAC-SHA256 as base64."""
    return same(b64encode(hmac.new(secret, message, sha256).digest()).decode(), signature)


def same(one: str, other: str) -> bool:
    """Compared in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def is_ecdsa(public_key: bytes, message: bytes, signature: str) -> bool:
    """ECDSA with SHA-256; ``public_key`` as PEM, or as base64 of DER; ``signature`` as base64 of DER."""
    key = _key(public_key)
    if key is None:
        return False
    try:
        key.verify(b64decode(signature, validate=True), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _key(text: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        key = load_pem_public_key(text) if text.startswith(b"-----") else load_der_public_key(b64decode(text))
    except (ValueError, binascii.Error):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None
