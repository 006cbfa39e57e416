"""Secret keys of servers: made here, kept as hashes, compared in constant time, never shown again.

A key holds 256 random bits, so one round of BLAKE2b is enough: what cannot be guessed need not be slow to try.
A key of the operator's own, brought along from another product, must be long enough for the same to hold.
"""

import re
import secrets
from collections.abc import Iterable
from hashlib import blake2b
from hmac import compare_digest

PREFIX = "msk_"
MIN_OWN_KEY_CHARS = 20
_HASH = re.compile(r"blake2b:[0-9a-f]{64}")


def new_key() -> str:
    """A secret that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What is kept of a key."""
    digest = blake2b(key.encode("utf-8", "replace"), digest_size=32, person=b"masir server key")
    return f"blake2b:{digest.hexdigest()}"


def is_hash(text: str) -> bool:
    """Is it what :func:`hash_of` gives?"""
    return _HASH.fullmatch(text) is not None


def is_one_of(key_hash: str, hashes: Iterable[str]) -> bool:
    """Compares with all of them, so that the time tells nothing."""
    found = False
    for known in hashes:
        found |= compare_digest(key_hash, known)
    return found
