"""A person's evidence, packed: what is needed to fold it again when late evidence arrives. Times are exact.

The log is a run of msgpack entries, each ``[ms since the entry before, kind, url, session(, score)]``; kinds
(packed by ``pipeline.core.codes``), urls and session ids stand once in tables, each with its place.
"""

import re
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Struct

_OTHER = "="  # marks a url that is not the log's origin and a path
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
    kinds: dict[bytes, int] = {}
    urls: dict[str, int] = {}
    sessions: dict[bytes, int] = {}


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
    page = url.removeprefix(log.origin)
    if len(page) == len(url) or page[:1] != "/":
        page = _OTHER + url
    session = _pack_session(session_id)
    kind_at = log.kinds.get(kind)
    if kind_at is None:
        log.kinds, kind_at = _added(log.kinds, kind)
    page_at = log.urls.get(page)
    if page_at is None:
        log.urls, page_at = _added(log.urls, page)
    session_at = log.sessions.get(session)
    if session_at is None:
        log.sessions, session_at = _added(log.sessions, session)
    if score is None:
        log.packed += _encode((time - log.last, kind_at, page_at, session_at))
    else:
        log.packed += _encode((time - log.last, kind_at, page_at, session_at, score))
    log.last = time
    log.size += 1


def entries(log: EvidenceLog) -> list[Entry]:
    """The entries, in order."""
    kinds = list(log.kinds)
    urls = [page[1:] if page[0] == _OTHER else log.origin + page for page in log.urls]
    sessions = [one[1:].hex() if one[:1] == _HEX else one[1:].decode() for one in log.sessions]
    found = []
    time = 0
    for packed in _decode(b"\xdd" + log.size.to_bytes(4, "big") + log.packed):
        time += packed.after_ms
        found.append(
            Entry(time, kinds[packed.kind], urls[packed.url], sessions[packed.session], packed.score)
        )
    return found


def _origin(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.partition("/")[0] if mark else ""


def _added(table: dict[Value, int], value: Value) -> tuple[dict[Value, int], int]:
    """The table with one more value, and where; the table given is left as it is."""
    return {**table, value: len(table)}, len(table)


@lru_cache(maxsize=4_096)
def _pack_session(session_id: str) -> bytes:
    if _is_hex(session_id):
        return _HEX + bytes.fromhex(session_id)
    return _TEXT + session_id.encode()
