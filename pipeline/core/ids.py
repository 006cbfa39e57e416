"""Keys, partitions and session ids. All of them are functions of the hit alone, so that a replay gives the same."""

from hashlib import blake2b
from typing import Final
from zlib import crc32

from pipeline.core.slots import Array

SEPARATOR = "\x1f"
_NO_ID: Final = "0" * 32


def visitor_key(site: str, visitor_id: str | None, user_id: str | None) -> str:
    """Whose session a hit belongs to: the visitor, or the user where a hit has no visitor.

    The letter keeps a visitor and a user of the same id apart.
    """
    if visitor_id:
        return f"{site}{SEPARATOR}v{visitor_id}"
    return f"{site}{SEPARATOR}u{user_id or ''}"


def session_id(key: str, start_time: int) -> str:
    """32 hex digits: the first 16 bytes of BLAKE2b over site, visitor and start in ms, separated by 0x1F.

    For a user without visitor ``user`` goes before the user's id: a site may give visitors and users the same ids, and
    two sessions that began in the same millisecond must not share theirs.
    """
    text = f"{name_of(key)}{SEPARATOR}{start_time}"
    return blake2b(text.encode()).hexdigest()[:32]


def name_of(key: str) -> str:
    """Site and visitor, as they are in a session's id."""
    site, _, visitor = key.partition(SEPARATOR)
    name = visitor[1:] if visitor.startswith("v") else f"user{SEPARATOR}{visitor[1:]}"
    return f"{site}{SEPARATOR}{name}"


def person_of(key: str, user: str) -> tuple[str, bool]:
    """Key of whose a visitor's session is, and whether that is a user. ``user``: the session's latest, "" is none."""
    site, _, visitor = key.partition(SEPARATOR)
    return f"{site}{SEPARATOR}{user or visitor[1:]}", bool(user) or visitor[0] == "u"


def partition_of(key: str, partitions: int) -> int:
    """CRC-32 of the key's UTF-8, modulo the number of partitions (librdkafka's "consistent" partitioner)."""
    return crc32(key.encode()) % partitions


def hex_ids(ids: Array) -> list[str]:
    """Ids of 16 bytes as 32 hexadecimal digits; zeros, no id, as ""."""
    digits = ids.tobytes().hex()
    found = [digits[at : at + 32] for at in range(0, len(digits), 32)]
    return ["" if one == _NO_ID else one for one in found]
