"""What all protocols do to fields: text of queries and bodies to values, and values to fit into a hit.

Pure, and any input is accepted: what is no number, no JSON, no currency is absent (None).
"""

import re
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from pipeline.collector.body import mended
from pipeline.collector.protocols.base import Hit
from schemas.hit import MAX_PROPS_BYTES, MAX_PROPS_KEYS

MAX_PARAMETERS = 1_000
_MAX_CHARS = {
    "event": 64, "title": 512, "channel": 32, "country": 64, "screen": 32, "ip": 64, "language": 64,
    "user_agent": 4_096, "url": 8_192, "referrer": 8_192,  # of these two the intake keeps less, and counts the cut
}  # fmt: skip
_MAX_ID_CHARS = {"visitor_id": 128, "user_id": 128, "order_id": 128, "hit_id": 64}
_MAX_CAMPAIGN_CHARS = 256
_MAX_ITEMS = 200
_MAX_AMOUNT = 1e12
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_NOTHING: Final[tuple[Any, ...]] = (None, "", "undefined", "null", [], {})
_LAST_MS = 4_102_444_800_000  # 2100-01-01

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_NO_JSON = b"null"
_encode = msgspec.json.Encoder().encode


def parameters(text: str) -> dict[str, str]:
    """A query or a form as a dict; of equal names the first filled one holds. Bytes that are no UTF-8 become U+FFFD."""
    found: dict[str, str] = {}
    for name, value in parse_pairs(text):
        if not found.get(name):
            found[name] = value
    return found


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Names and values in order; those beyond ``MAX_PARAMETERS`` are left out."""
    fields = text.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]
    return parse_qsl(clean("&".join(fields)), keep_blank_values=True, encoding="utf-8", errors="replace")


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which no JSON can hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def decoded(raw: bytes | str) -> Any:
    """The value that JSON holds; None if it is none. What can be mended is: it would cost a batch all its events."""
    try:
        return msgspec.json.decode(raw)
    except _UNREADABLE:
        text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    try:
        return msgspec.json.decode(mended(text.encode(errors="replace"), numbers=True))
    except _UNREADABLE:
        return None


def text_of(value: Any) -> str:
    """Text as it is, a number as text, anything else ""."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def object_of(value: Any) -> dict[str, Any]:
    """An object, also one that is written as JSON text; else an empty one."""
    if isinstance(value, str) and value.startswith("{"):
        value = decoded(value)
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A list, also one that is written as JSON text; else an empty one."""
    if isinstance(value, str) and value.startswith("["):
        value = decoded(value)
    return value if isinstance(value, list) else []


def number(value: Any) -> int | float | None:
    """A number, also one that is written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        value = float(text)
        value = int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, int | float) and abs(value) <= 1e300:  # neither NaN nor endless
        return value
    return None


def amount(value: Any) -> int | float | None:
    """A sum of money; None if it is none, or larger than a hit can hold."""
    found = number(value)
    return found if found is not None and abs(found) <= _MAX_AMOUNT else None


def milliseconds(value: Any, *, per_second: int = 1_000) -> int | None:
    """A time since 1970, in units of which a second has ``per_second``, as ms; None if it cannot be one."""
    found = number(value)
    if found is None:
        return None
    time = found * 1_000 // per_second if isinstance(found, int) else int(found * 1_000 / per_second)
    return time if 0 < time < _LAST_MS else None


def arrival_times(received_ms: int, count: int) -> list[int]:
    """Times of events that have none, of one request: a ms apart, so that they stay in its order; the last is now."""
    return list(range(received_ms - count + 1, received_ms + 1))


def currency_of(value: Any) -> str | None:
    """A currency's three letters, in capitals."""
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    """The members that say something: not null, not empty, not the text ``undefined``."""
    return {name: value for name, value in values.items() if value not in _NOTHING}


def short_id(value: str, limit: int = 64) -> str:
    """The id itself, or if it is too long its hash: two long ids that begin alike stay two."""
    return (
        value if len(value) <= limit else blake2b(value.encode(errors="replace"), digest_size=16).hexdigest()
    )


def digest(*parts: str) -> str:
    """A ``hit_id`` made of what makes the hit the same."""
    return blake2b("\x1f".join(parts).encode(errors="replace"), digest_size=16).hexdigest()


def fitted(hit: Hit) -> Hit:
    """The hit without what says nothing, its texts cut to what the contract allows.

    Props that are too many or too large are left out, the last ones first, and counted in ``dropped_props``; a name
    of an event that was cut stays whole in ``event_name``.
    """
    found = without_nothing(hit)
    for name, limit in _MAX_CHARS.items():
        value = found.get(name)
        if isinstance(value, str) and len(value) > limit:
            found[name] = value[:limit]
            if name == "event":
                found["props"] = {"event_name": value, **found.get("props", {})}
    for name, limit in _MAX_ID_CHARS.items():
        value = found.get(name)
        if isinstance(value, str):
            found[name] = short_id(value, limit)
    if campaign := without_nothing(found.pop("campaign", {})):
        found["campaign"] = {name: text_of(value)[:_MAX_CAMPAIGN_CHARS] for name, value in campaign.items()}
    if items := found.get("items"):
        found["items"] = items[:_MAX_ITEMS]
    if props := without_nothing(found.pop("props", {})):
        found["props"] = fitted_props(props)
    return found


def fitted_props(props: dict[str, Any]) -> dict[str, Any]:
    """The props that a hit has room for. What events share is cut so once, before each of them works through it."""
    whole = encoded(props)
    if len(props) <= MAX_PROPS_KEYS and len(whole) <= MAX_PROPS_BYTES and whole != _NO_JSON:
        return props
    kept: dict[str, Any] = {}
    room = MAX_PROPS_BYTES - len('{"dropped_props":1000}') - 1
    for name, value in props.items():
        member = encoded({name: value})
        size = len(member)  # with two brackets, for a comma
        if len(kept) < MAX_PROPS_KEYS - 1 and size <= room and member != _NO_JSON:
            kept[name] = value
            room -= size
    return {**kept, "dropped_props": len(props) - len(kept)}


def encoded(value: Any) -> bytes:
    """JSON of any value that JSON gave; what is nested too deep for that becomes null."""
    try:
        return _encode(value)
    except (RecursionError, UnicodeError, msgspec.MsgspecError):
        return _NO_JSON
