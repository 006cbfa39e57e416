"""What trackers wrap JSON in: base64 and lz-string. Pure; what cannot be unwrapped is empty, never an error.

lz-string (``compressToBase64``, of posthog-js before 2023) is LZ78 over UTF-16 units with codes that widen as the
dictionary grows; three codes stand for "a new unit of 8 bits", "of 16 bits", and "the end".
"""

import binascii
from base64 import b64decode

_UNIT_8, _UNIT_16, _END = range(3)
_FIRST_CODES = 3


def unwrapped_bytes(text: str) -> bytes:
    """Base64, of either alphabet and with or without its padding; blanks were plus signs once. b"" if it is none."""
    try:
        raw = text.strip().replace("-", "+").replace("_", "/").replace(" ", "+").encode("ascii")
        return b64decode(raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def unwrapped(text: str) -> str:
    """The same as UTF-8 text; "" if it is none."""
    try:
        return unwrapped_bytes(text).decode()
    except UnicodeDecodeError:
        return ""


class _Bits:
    """Reads numbers whose least bit comes first out of bytes whose greatest does. EOFError past the end."""

    def __init__(self, data: bytes) -> None:
        # As text: a number is read in one step, not bit by bit.
        self._bits = bin(int.from_bytes(b"\1" + data))[len("0b1") :]
        self._place = 0

    def take(self, width: int) -> int:
        end = self._place + width
        if end > len(self._bits):
            raise EOFError
        value = int(self._bits[self._place : end][::-1], 2)
        self._place = end
        return value


def from_lz64(text: str, *, max_chars: int) -> str:
    """The text that lz-string's ``compressToBase64`` was given; "" if it is none or longer than ``max_chars``."""
    sextets = text.strip().rstrip("=")
    bits = _Bits(unwrapped_bytes(sextets + "A" * (-len(sextets) % 4)))  # no byte need end where a code does
    try:
        parts = _expand(bits, max_chars)
    except EOFError:
        return ""
    return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _expand(bits: _Bits, max_chars: int) -> list[str]:
    first = bits.take(2)
    if first == _END:
        return []
    known = ["", "", "", chr(bits.take(16 if first == _UNIT_16 else 8))]
    last = known[_FIRST_CODES]
    parts, size = [last], 1
    width, room = 3, 4  # of a code; codes until it widens
    while True:
        code = bits.take(width)
        if code == _END:
            return parts
        if code in (_UNIT_8, _UNIT_16):
            known.append(chr(bits.take(16 if code == _UNIT_16 else 8)))
            code = len(known) - 1
            room -= 1
            if room == 0:
                width, room = width + 1, 1 << width
        if code > len(known):
            return []
        entry = known[code] if code < len(known) else last + last[0]
        size += len(entry)
        if size > max_chars:
            return []
        parts.append(entry)
        known.append(last + entry[0])
        last = entry
        room -= 1
        if room == 0:
            width, room = width + 1, 1 << width
