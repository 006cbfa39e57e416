"""Bytes -> :class:`Hit` or :class:`Flaw`: decoded and checked in one step. Any bytes give one of the two, no error.

A hit with fields that we do not know is kept (``type(hit) is Hit``); one without them is a :class:`KnownHit`, which
is how unknown fields are counted at no cost for the hits that have none.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.core.ids import visitor_key
from schemas.hit import ABSENT, MAX_HIT_BYTES, MAX_PROPS_BYTES, MAX_PROPS_KEYS, Hit
from schemas.outcome import Reason


class KnownHit(Hit, forbid_unknown_fields=True, gc=False):
    """A hit all of whose top-level fields are the contract's."""


class Flaw(NamedTuple):
    """Why some bytes are not a hit. ``site`` is "" when it could not be read."""

    reason: Reason
    field: str
    message: str
    site: str = ""


class _Site(msgspec.Struct):
    site: str = ""


class _Ids(msgspec.Struct, gc=False):
    site: str = ""
    visitor_id: str | None = None
    user_id: str | None = None


_decode_known = msgspec.json.Decoder(KnownHit).decode
_decode_any = msgspec.json.Decoder(Hit).decode
_decode_ids = msgspec.json.Decoder(_Ids).decode
_decode_site = msgspec.json.Decoder(_Site).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
# What pipeline/sources/table.py puts before a row that is none.
_ROW = re.compile(rb"(row of \d+ columns, not \d+|row with broken quotes, or not UTF-8): ")
_MISSING = re.compile(r"^Object missing required field `([^`]*)`")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_all(raws: Sequence[bytes]) -> list[Hit | Flaw]:
    """Each of them as :func:`decode` says it, faster where all of them are plain."""
    try:
        hits = list(map(_decode_known, raws))
    except _UNREADABLE:
        return list(map(decode, raws))
    if max(map(len, raws), default=0) > MAX_HIT_BYTES:
        return list(map(decode, raws))
    return [
        hit if (hit.visitor_id or hit.user_id) and not (hit.props or hit.items) else _checked(hit)
        for hit in hits
    ]


def keys_of(raws: Sequence[bytes]) -> list[bytes]:
    """The records' keys in the topic: those of their visitors, b"" for what cannot be read."""
    try:
        ids = list(map(_decode_ids, raws))
    except _UNREADABLE:
        return [keys_of([raw])[0] for raw in raws] if len(raws) > 1 else [b""]
    return [visitor_key(one.site, one.visitor_id, one.user_id).encode() for one in ids]


def decode(raw: bytes) -> Hit | Flaw:
    """The hit in ``raw`` (UTF-8 JSON, at most 64 KiB), or what is wrong with it."""
    if len(raw) > MAX_HIT_BYTES:
        return Flaw(Reason.TOO_LARGE, "", f"a hit is at most {MAX_HIT_BYTES} bytes, this has more")
    hit: Hit
    try:
        hit = _decode_known(raw)
    except _UNREADABLE:
        try:
            hit = _decode_any(raw)
        except _UNREADABLE as error:
            return _flaw(raw, error)
    return _checked(hit)


def _checked(hit: Hit) -> Hit | Flaw:
    if not hit.visitor_id and not hit.user_id:
        return Flaw(Reason.MISSING_FIELD, "visitor_id", "one of visitor_id and user_id is required", hit.site)
    if hit.props or hit.items:
        return _check_raw(hit)
    return hit


def _check_raw(hit: Hit) -> Hit | Flaw:
    found = nested_of(hit.items, hit.props, hit.site)
    if isinstance(found, Flaw):
        return found
    hit.items, hit.props = found
    return hit


def nested_of(items: msgspec.Raw, props: msgspec.Raw, site: str) -> tuple[msgspec.Raw, msgspec.Raw] | Flaw:
    """(items, props), ABSENT for null. msgspec leaves them as they came: kind, encoding and size are checked here."""
    kept = {"props": props, "items": items}
    for field, opening, kind in (("props", b"{", "an object"), ("items", b"[", "an array")):
        value = bytes(kept[field])
        if value in (b"", b"null"):
            kept[field] = ABSENT
            continue
        if not value.startswith(opening):
            return Flaw(Reason.WRONG_TYPE, field, f"{field} must be {kind}", site)
        try:
            value.decode()
        except UnicodeDecodeError:
            return Flaw(Reason.NOT_JSON, field, f"{field} is not UTF-8", site)
    flaw = _flaw_of_props(bytes(kept["props"]), site)
    return flaw or (kept["items"], kept["props"])


def _flaw_of_props(props: bytes, site: str) -> Flaw | None:
    """All readers of props, ClickHouse's among them, are to read the same: no key twice, no number beyond a double."""
    if not props:
        return None
    if len(props) > MAX_PROPS_BYTES:
        return Flaw(Reason.TOO_LARGE, "props", f"props has more than {MAX_PROPS_BYTES} bytes", site)
    try:
        keys = len(_decode_object(props))
        repeats = props.count(b":") > keys and len(json.loads(props, object_pairs_hook=list)) > keys
    except RecursionError:  # just within what could be read before, from a less deep stack
        return Flaw(Reason.NOT_JSON, "props", "props is nested too deep", site)
    except msgspec.DecodeError as error:
        return Flaw(Reason.BAD_VALUE, "props", str(error), site)
    if repeats:
        return Flaw(Reason.BAD_VALUE, "props", "props has a key twice", site)
    if keys > MAX_PROPS_KEYS:
        return Flaw(Reason.TOO_LARGE, "props", f"props has more than {MAX_PROPS_KEYS} keys", site)
    return None


def _flaw(raw: bytes, error: Exception) -> Flaw:
    message = str(error)
    if not raw:
        return Flaw(Reason.ERASED, "", "emptied: the person was erased")
    if not isinstance(error, msgspec.ValidationError):
        row = _ROW.match(raw)
        return Flaw(Reason.NOT_JSON, "", row[1].decode() if row else message)
    site = _site_of(raw)
    path = _PATH.search(message)
    field = path.group(1) if path else ""
    text = _PATH.sub("", message)
    missing = _MISSING.match(text)
    if missing:
        return Flaw(Reason.MISSING_FIELD, missing.group(1), text, site)
    if not field:
        return Flaw(Reason.NOT_OBJECT, "", text)
    wrong_type = re.match(r"Expected `[^`]*`, got ", text)
    return Flaw(Reason.WRONG_TYPE if wrong_type else Reason.BAD_VALUE, field, text, site)


def _site_of(raw: bytes) -> str:
    """The site that a flawed hit names, cut to the length of a site; "" when there is none to read."""
    try:
        return _decode_site(raw).site[:64]
    except _UNREADABLE:
        return ""
