"""Who was erased and stays out. Pure.

Kept are keyed hashes (BLAKE2b, 16 bytes) of site, kind and id: the list names nobody, and whoever has it without the
key cannot try names either. A hit is the person's by its visitor or by its user.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.core.ids import SEPARATOR

KEY_BYTES = 32
_CACHE_ENTRIES = 65_536


class _Who(Struct, gc=False):
    site: Any = ""
    visitor_id: Any = ""
    user_id: Any = ""


_decode = msgspec.json.Decoder(_Who).decode


def digest(key: bytes, site: str, kind: str, an_id: str) -> bytes:
    """``kind``: ``v`` for a visitor, ``u`` for a user."""
    text = f"{site}{SEPARATOR}{kind}{an_id}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=key).digest()


class Suppressed:
    """False while the list is empty: then it costs nothing."""

    def __init__(self, key: bytes = b"", digests: Iterable[bytes] = ()) -> None:
        self._key, self._digests = b"", frozenset[bytes]()
        self._holds: Callable[[str, str, str], bool] = lambda *_: False
        self.put(key, digests)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def put(self, key: bytes, digests: Iterable[bytes]) -> None:
        """This is the list now."""
        known = frozenset(digests)
        if (key, known) == (self._key, self._digests):
            return
        self._key, self._digests = key, known

        @lru_cache(maxsize=_CACHE_ENTRIES)
        def holds(site: str, kind: str, an_id: str) -> bool:
            return digest(key, site, kind, an_id) in known

        self._holds = holds

    def holds(self, site: str, visitor_id: str | None, user_id: str | None) -> bool:
        """Is it one of them?"""
        return bool(visitor_id and self._holds(site, "v", visitor_id)) or bool(
            user_id and self._holds(site, "u", user_id)
        )

    def emptied(self, values: Sequence[bytes]) -> list[bytes]:
        """The records of ``hits``, those of erased persons without anything in them: the judge knows what that means.

        What is no hit is looked at too, as far as it can be read.
        """
        return [b"" if self._holds_record(value) else value for value in values]

    def _holds_record(self, raw: bytes) -> bool:
        try:
            who = _decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        texts = [one if isinstance(one, str) else "" for one in (who.site, who.visitor_id, who.user_id)]
        return self.holds(*texts)
