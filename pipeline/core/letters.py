"""Mending dead letters before they are sent again, and which of them can be read then."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pipeline.core.reading import Records, read


def mended(raw: bytes, letter: str, values: Mapping[str, Any]) -> bytes:
    """``raw`` with ``values`` set, and ``letter`` for its hit_id if it has none; as it was if it is no JSON object."""
    try:
        hit = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    fields = {**hit, **values}
    if "hit_id" not in values and bytes(hit.get("hit_id", msgspec.Raw(b"null"))) in (b"null", b'""'):
        fields["hit_id"] = letter
    return msgspec.json.encode(fields)


def readable(hits: Sequence[bytes], now_ms: int, *, knows_received: bool) -> list[bytes]:
    """Those that the sessionizer will read, the time included: in files it is not known when a hit was received."""
    every = range(len(hits))
    found = read(Records(list(hits), [now_ms] * len(hits), list(every)), 0, knows_received=knows_received)
    unreadable = {letter.offset for letter in found.letters}
    return [hits[at] for at in every if at not in unreadable]
