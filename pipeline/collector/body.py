"""A request's body -> the bytes of its single hits. Pure; looks at the bytes, never at the Content-Type.

Accepts one JSON object, a JSON array, or lines (NDJSON), each of them gzipped or not. What cannot be read is
one hit, as it came: judging it is the sessionizer's business. Hits are slices of the body, never re-encoded.
"""

import zlib

import msgspec

_WHITESPACE = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b\x08"
_MAX_GZIP_MEMBERS = 100  # each one costs a copy of what follows it; bgzip makes one per 64 KiB

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.json.Decoder(msgspec.Raw).decode


class TooLargeError(Exception):
    """The body is larger than the limit once inflated."""


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


def split(body: bytes) -> list[bytes]:
    """The hits of a body, without the white space around them; none if there is nothing else."""
    text = body.removeprefix(_BYTE_ORDER_MARK).strip(_WHITESPACE)
    if not text:
        return []
    if text.startswith(b"["):
        try:
            return [bytes(raw) for raw in _decode_array(text)]
        except (msgspec.DecodeError, RecursionError):
            return [text]
    if b"\n" not in text or _is_one_value(text):
        return [text]
    lines = [line for line in (line.strip(_WHITESPACE) for line in text.split(b"\n")) if line]
    if any(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return lines
    return [text]


def _is_one_value(text: bytes) -> bool:
    """True for one object written over several lines."""
    try:
        _decode_one(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
