"""A person's evidence, packed: what is needed to fold it again when late evidence arrives. Times are exact.

The log is a run of msgpack entries, each ``[ms since the entry before, kind, url, session(, score)]``; kinds
(packed by ``pipeline.core.codes``), urls and session ids stand once in tables. A value is looked for among
the newest REACH of its table only, so that appending costs the same however long the log is.
"""

import re
from functools import lru_cache
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

REACH: Final = 32

_SAME, _OTHER = "+", "="  # marks a url that begins with the log's origin, or does not
_HEX, _TEXT = b"#", b"="  # marks a session id of 32 hexadecimal digits, or any other

Value = TypeVar("Value")


class EvidenceLog(Struct, array_like=True, gc=False):
    """``size`` entries in ``packed``, the newest at ``last`` (ms). ``origin``: scheme and host most urls
    begin with.
    """

    size: int = 0
    last: int = 0
    packed: bytes = b""
    origin: str = ""
    kinds: list[bytes] = []
    urls: list[str] = []
    sessions: list[bytes] = []


class Entry(Struct, array_like=True, gc=False):
    """One entry, its time and table values put in."""

    time: int
    kind: bytes
    url: str
    session_id: str
    score: float | None


class _Packed(Struct, array_like=True, gc=False):
    after_ms: int
    kind: int
    url: int
    session: int
    score: float | None = None


_is_hex = re.compile(r"[0-9a-f]{32}").fullmatch
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Packed]).decode


def append(log: EvidenceLog, time: int, kind: bytes, url: str, session_id: str, score: float | None) -> None:
    """Add an entry that is not before the newest."""
    if not log.size:
        log.origin = _origin(url)
    origin = log.origin
    url = _SAME + url[len(origin) :] if url.startswith(origin) else _OTHER + url
    log.kinds, kind_at = _place(log.kinds, kind)
    log.urls, url_at = _place(log.urls, url)
    log.sessions, session_at = _place(log.sessions, _pack_session(session_id))
    if score is None:
        log.packed += _encode((time - log.last, kind_at, url_at, session_at))
    else:
        log.packed += _encode((time - log.last, kind_at, url_at, session_at, score))
    log.last = time
    log.size += 1


def entries(log: EvidenceLog) -> list[Entry]:
    """The entries, in order."""
    urls = [log.origin + url[1:] if url[0] == _SAME else url[1:] for url in log.urls]
    sessions = [one[1:].hex() if one[:1] == _HEX else one[1:].decode() for one in log.sessions]
    found = []
    time = 0
    for packed in _decode(b"\xdd" + log.size.to_bytes(4, "big") + log.packed):
        time += packed.after_ms
        found.append(
            Entry(time, log.kinds[packed.kind], urls[packed.url], sessions[packed.session], packed.score)
        )
    return found


def _origin(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.partition("/")[0] if mark else ""


def _place(table: list[Value], value: Value) -> tuple[list[Value], int]:
    """The table with the value in it, and where; the table given is left as it is."""
    size = len(table)
    if size > REACH:
        tail = table[-REACH:]
        at = size - REACH + tail.index(value) if value in tail else size
    elif value in table:
        at = table.index(value)
    else:
        at = size
    return (table if at < size else [*table, value]), at


@lru_cache(maxsize=4_096)
def _pack_session(session_id: str) -> bytes:
    if _is_hex(session_id):
        return _HEX + bytes.fromhex(session_id)
    return _TEXT + session_id.encode()
