"""Mending a dead letter before it is sent again."""

from collections.abc import Mapping
from typing import Any

import msgspec


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
