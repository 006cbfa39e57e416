"""A request's body -> the bytes of its single hits. Pure; looks at the bytes, never at the Content-Type.

Accepts one JSON object, a JSON array, or lines (NDJSON), each of them gzipped or not. What cannot be read is
one hit, as it came: judging it is the sessionizer's business. Hits are slices of the body, never re-encoded; but
what senders write and JSON has not is mended (:func:`mended`).
"""

import re
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=Sequence[Any])
_WHITESPACE = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b\x08"
_MAX_GZIP_MEMBERS = 100  # each one costs a copy of what follows it; bgzip makes one per 64 KiB

# What browsers make of a text that they cut within a character, and Python of a number that is none.
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_STRINGS = re.compile(_STRING, re.DOTALL)
_STRING_OR_NO_NUMBER = re.compile(_STRING + rb"|-?(?:NaN|Infinity)", re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)",
    re.DOTALL,
)
_STRING_OR_MARK = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_BACKSLASH, _N, _I = b"\\NI"
_CLOSING = {b"[": b"]", b"{": b"}"}

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_UNREADABLE = (msgspec.DecodeError, RecursionError)
_decode_one = msgspec.json.Decoder(msgspec.Raw).decode


class TooLargeError(Exception):
    """The body is larger than the limit once inflated."""


class TooManyError(Exception):
    """A request has more hits than one may have: nothing of it is taken."""


def inflate(body: bytes, *, max_bytes: int) -> bytes:
    """The body without its gzip, if it has one; a broken gzip stays as it is.

    :class:`TooLargeError` when the result would have more than ``max_bytes``.
    """
    if not body.startswith(_GZIP_MAGIC):
        return body
    parts: list[bytes] = []
    room = max_bytes
    member = body
    for _ in range(_MAX_GZIP_MEMBERS):
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            part = stream.decompress(member, room + 1)
        except zlib.error:
            return body
        room -= len(part)
        if room < 0:
            raise TooLargeError(f"the body inflates to more than {max_bytes} bytes")
        if not stream.eof:
            return body
        parts.append(part)
        member = stream.unused_data
        if not member:
            return b"".join(parts)
    raise TooLargeError(f"the body has more than {_MAX_GZIP_MEMBERS} gzip members")


def counted(found: S, at_most: int) -> S:
    """The hits, or what they are to be made of, as they came. A few bytes can name millions: count, then build.

    :class:`TooManyError` if there are more than ``at_most``.
    """
    if len(found) > at_most:
        raise TooManyError(f"a request has at most {at_most} hits, this has more")
    return found


def split(body: bytes, *, at_most: int) -> list[bytes]:
    """The hits of a body, without the white space around them; none if there is nothing else.

    :class:`TooManyError` if there are more than ``at_most``.
    """
    text = body.removeprefix(_BYTE_ORDER_MARK).strip(_WHITESPACE)
    if not text:
        return []
    if text.startswith(b"["):
        try:
            array = _decode_array(text)
        except _UNREADABLE:
            return list(map(mended, _elements(text, at_most))) or [text]
        return [bytes(raw) for raw in counted(array, at_most)]
    if b"\n" not in text:
        return [mended(text)]
    lines = [line for line in (line.strip(_WHITESPACE) for line in text.split(b"\n")) if line]
    if not _is_one_value(lines[0]) and _is_one_value(better := mended(text)):
        return [better]  # written over several lines
    if any(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        counted(lines, at_most)
        return list(map(mended, lines)) if _is_suspicious(text) else lines
    return [text]


def mended(text: bytes, *, numbers: bool = False) -> bytes:
    """JSON with half of a surrogate pair in it: with U+FFFD instead. ``numbers``: and null for a number that is none.

    As it came where it can be read, or cannot be read for another reason.
    """
    if not (_is_suspicious(text) or (numbers and _may_hold_no_number(text))) or _is_one_value(text):
        return text
    better = (_STRING_OR_NO_NUMBER if numbers else _STRINGS).sub(_mended_part, text)
    return better if _is_one_value(better) else text


def _is_suspicious(text: bytes) -> bool:
    """May there be half of a pair? A single byte is looked for first: that is many times as fast."""
    return _BACKSLASH in text and (rb"\ud" in text or rb"\uD" in text)


def _may_hold_no_number(text: bytes) -> bool:
    return (_N in text and b"NaN" in text) or (_I in text and b"Infinity" in text)


def _mended_part(part: re.Match[bytes]) -> bytes:
    if not part[0].startswith(b'"'):
        return b"null"
    return _ESCAPE.sub(_mended_escape, part[0]) if b"\\u" in part[0] else part[0]


def _mended_escape(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def _elements(array: bytes, at_most: int) -> list[bytes]:
    """The elements of an array one of which cannot be read, told apart by brackets; none if these do not match."""
    found: list[bytes] = []
    awaited: list[bytes] = []
    start = 1
    for token in _STRING_OR_MARK.finditer(array):
        mark = token[0]
        if mark in _CLOSING:
            awaited.append(_CLOSING[mark])
        elif mark in _CLOSING.values() and awaited.pop() != mark:
            return []
        if not awaited or (mark == b"," and len(awaited) == 1):
            counted(found, at_most).append(array[start : token.start()].strip(_WHITESPACE))
            start = token.end()
        if not awaited:
            break
    return counted(list(filter(None, found)), at_most) if start == len(array) else []


def _is_one_value(text: bytes) -> bool:
    """True for one object, also if it is written over several lines."""
    try:
        _decode_one(text)
    except _UNREADABLE:
        return False
    return True
