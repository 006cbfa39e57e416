"""Hits that cannot be read: what is wrong with each, and the reason and field that its dead letter names."""

import json
from typing import Any, NamedTuple

from schemas.hit import MAX_HIT_BYTES, MAX_PROPS_BYTES
from schemas.outcome import Reason

GOOD = {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": 1_790_812_800_000}


class Bad(NamedTuple):
    """``raw``: the bytes as they are sent."""

    name: str
    raw: bytes
    reason: Reason
    field: str = ""


def _with(**fields: Any) -> bytes:
    """A good hit with these fields; None takes one away."""
    changed = {name: value for name, value in {**GOOD, **fields}.items() if value is not None}
    return json.dumps(changed).encode()


_WHOLE = _with()
_LARGE = b'{"site":"shop","event":"page_view","visitor_id":"ann","x":"%s"}'

BAD = (
    Bad("words", b"hello", Reason.NOT_JSON),
    Bad("cut short", _WHOLE[:-10], Reason.NOT_JSON),
    Bad("two in one line", _WHOLE + _WHOLE, Reason.NOT_JSON),
    Bad("another protocol", b"\x16\x03\x01\x02\x00\x01", Reason.NOT_JSON),
    Bad("not UTF-8", _WHOLE.replace(b"ann", b"\xe9t\xe9"), Reason.NOT_JSON),
    Bad("not a number", _with(score=1).replace(b'"score": 1', b'"score": NaN'), Reason.NOT_JSON),
    Bad("a number", b"7", Reason.NOT_OBJECT),
    Bad("a text", b'"page_view"', Reason.NOT_OBJECT),
    Bad("null", b"null", Reason.NOT_OBJECT),
    Bad("larger than 64 KiB", _LARGE % (b"x" * MAX_HIT_BYTES), Reason.TOO_LARGE),
    Bad("65 props", _with(props={f"p{n}": n for n in range(65)}), Reason.TOO_LARGE, "props"),
    Bad("props over 8 KiB", _with(props={"p": "x" * MAX_PROPS_BYTES}), Reason.TOO_LARGE, "props"),
    Bad("nothing in it", b"{}", Reason.MISSING_FIELD, "site"),
    Bad("no site", _with(site=None), Reason.MISSING_FIELD, "site"),
    Bad("no event", _with(event=None), Reason.MISSING_FIELD, "event"),
    Bad("nobody", _with(visitor_id=None), Reason.MISSING_FIELD, "visitor_id"),
    Bad("an empty visitor", _with(visitor_id=""), Reason.MISSING_FIELD, "visitor_id"),
    Bad("site is a number", _with(site=7), Reason.WRONG_TYPE, "site"),
    Bad("revenue is a text", _with(revenue="12"), Reason.WRONG_TYPE, "revenue"),
    Bad("time is true", _with(time=True), Reason.WRONG_TYPE, "time"),
    Bad("campaign is a text", _with(campaign="spring"), Reason.WRONG_TYPE, "campaign"),
    Bad(
        "source of the campaign is a number",
        _with(campaign={"source": 1}),
        Reason.WRONG_TYPE,
        "campaign.source",
    ),
    Bad("props is a list", _with(props=[1]), Reason.WRONG_TYPE, "props"),
    Bad("items is an object", _with(items={"a": 1}), Reason.WRONG_TYPE, "items"),
    Bad("site with a space", _with(site="my shop"), Reason.BAD_VALUE, "site"),
    Bad("site of 65 characters", _with(site="s" * 65), Reason.BAD_VALUE, "site"),
    Bad("empty event", _with(event=""), Reason.BAD_VALUE, "event"),
    Bad("event of 65 characters", _with(event="e" * 65), Reason.BAD_VALUE, "event"),
    Bad("visitor of 129 characters", _with(visitor_id="v" * 129), Reason.BAD_VALUE, "visitor_id"),
    Bad("hit_id of 65 characters", _with(hit_id="h" * 65), Reason.BAD_VALUE, "hit_id"),
    Bad("time in words", _with(time="yesterday"), Reason.BAD_VALUE, "time"),
    Bad("time without a zone", _with(time="2026-10-01T00:00:00"), Reason.BAD_VALUE, "time"),
    Bad("time before 1970", _with(time=-1), Reason.BAD_VALUE, "time"),
    Bad("currency of four letters", _with(currency="EURO"), Reason.BAD_VALUE, "currency"),
    Bad("revenue beyond all reason", _with(revenue=1e13), Reason.BAD_VALUE, "revenue"),
)

FAR_FUTURE = Bad("time after 2100", _with(time=4_102_444_800_000), Reason.BAD_VALUE, "time")
"""In a file; a collector knows when it was received, and takes that instead."""

UNUSUAL = (
    _with(visitor_id=None, user_id="bob"),
    _with(visitor_id="v" * 128, site="s" * 64, event="e" * 64, hit_id="h" * 64),
    _with(props={f"p{n}": n for n in range(64)}, url="https://shop.example/" + "x" * 3_000),
    _with(utm_source="unknown field", time="2026-10-01T02:00:00+02:00"),
    _with(revenue=1e12, currency="EUR", items=[], props={}),
    _with(site="shop").replace(b'"ann"', b'"\\ud83d\\uded2"'),
    _LARGE % (b"x" * (MAX_HIT_BYTES - 600)),
)
"""Just within what is allowed."""
