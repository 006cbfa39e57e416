"""``GET /v1/hit.gif``: the query of an image -> the bytes of one hit. Pure.

Parameters are named as the hit's fields. Numbers are numbers where the field is one; ``props``, ``campaign``
and ``items`` hold JSON, or a member of the first two is a parameter by itself: ``props.plan=free``. The last
of equal names holds, also of a member's. What does not fit stays text, for the judge to refuse.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.collector.body import mended

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_NUMBERS = frozenset({"time", "sent_time", "revenue", "score", "scale"})
_OBJECTS = frozenset({"props", "campaign"})
_NESTED = _OBJECTS | {"items"}
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?", re.ASCII)

_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def hit_of(query: Iterable[tuple[str, str]]) -> bytes:
    """JSON of the hit that the parameters describe."""
    hit: dict[str, Any] = {}
    for name, value in query:
        text = value.encode(errors="replace").decode()
        field = name.encode(errors="replace").decode()
        parent, dot, member = field.partition(".")
        is_member = bool(dot) and parent in _OBJECTS
        if is_member:
            field = parent
        found = {member: text} if is_member else _value_of(field, text)
        known = hit.setdefault(field, found)
        if isinstance(known, dict) and isinstance(found, dict):
            known.update(found)
        elif not is_member:
            hit[field] = found
    return msgspec.json.encode(hit)


def _value_of(name: str, text: str) -> str | msgspec.Raw | dict[str, Any]:
    if name in _NUMBERS and _JSON_NUMBER.fullmatch(text):
        return msgspec.Raw(text)
    if name in _NESTED:
        try:
            raw = _decode_raw(mended(text.encode()))
            return _decode_members(raw) if name in _OBJECTS else raw
        except (msgspec.DecodeError, RecursionError):
            return text
    return text
