"""Which hit_ids a visitor has sent: records of 12 bytes, an 8-byte hash of the id and its event time in seconds.

The bytes are searched as they are, never unpacked: a visitor with thousands of hits costs no more to load than one
with few. The same id within ``window_ms`` of event time is the same hit (inclusive).
"""

from hashlib import blake2b

_RECORD = 12


def digest(hit_id: str) -> bytes:
    """8 bytes; two ids of one visitor share them with a probability of 2**-64."""
    return blake2b(hit_id.encode(), digest_size=8).digest()


def is_known(seen: bytes, id_digest: bytes, time: int, window_ms: int, since: int = 0) -> bool:
    """Was this id seen within ``window_ms`` before or after ``time``? What is older than ``since`` is forgotten."""
    at = seen.find(id_digest)
    while at >= 0:
        if at % _RECORD == 0:
            seen_at = _time_at(seen, at)
            if seen_at >= since // 1000 and abs(seen_at - time // 1000) * 1000 <= window_ms:
                return True
        at = seen.find(id_digest, at + 1)
    return False


def remember(seen: bytes, id_digest: bytes, time: int) -> bytes:
    """``seen`` and one more."""
    return seen + id_digest + (time // 1000).to_bytes(4, "big")


def forget(seen: bytes, before: int) -> bytes:
    """``seen`` without the ids whose event time lies before ``before``."""
    records = (seen[at : at + _RECORD] for at in range(0, len(seen), _RECORD))
    return b"".join(record for record in records if _time_at(record, 0) >= before // 1000)


def earliest(seen: bytes) -> int:
    """Event time (ms, cut to the second) of the oldest id; ``seen`` must not be empty."""
    return min(_time_at(seen, at) for at in range(0, len(seen), _RECORD)) * 1000


def _time_at(seen: bytes, at: int) -> int:
    return int.from_bytes(seen[at + 8 : at + _RECORD], "big")
