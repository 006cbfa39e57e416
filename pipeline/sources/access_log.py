"""Access logs (common, combined, vhost_combined, JSON; nginx, Apache) -> page views as JSON bytes, in file order.

Pages only: ``GET`` with status 2xx or 304 whose path does not end like an asset (``ASSETS``). The others are
counted in ``skipped`` by reason (``status``, ``method``, ``asset``) and not given out. A line that is no log
line is given out as it is, so that it ends as a dead letter. Bots are kept: the pipeline tells them by their
user agent. Times have whole seconds. The visitor is a hash of address and user agent; the address itself goes
no further.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from pipeline.sources.access_json import Request, request_of
from pipeline.sources.times import log_time

_ASSET_ENDINGS = """
css js mjs map json xml txt rss atom wasm webmanifest
png jpg jpeg gif webp avif svg ico bmp tif tiff xbm
woff woff2 ttf otf eot
mp3 m4a ogg oga wav flac mp4 m4v webm ogv mov avi mpg mpeg wmv flv m3u8 ts swf
pdf doc docx xls xlsx ppt pptx csv zip gz tgz bz2 xz 7z rar tar jar exe msi dmg deb rpm iso apk
"""
ASSETS = frozenset(_ASSET_ENDINGS.split())
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = re.compile(
    r'(?:(?P<host>[^\s:"\[]+):\d+ )?(?P<address>\S+) \S+ (?P<user>[^"\[]{1,200}?) '
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rf"{_QUOTED.replace('(', '(?P<request>', 1)} (?P<status>\d{{3}}) (?:\d+|-)"
    rf"(?: {_QUOTED.replace('(', '(?P<referrer>', 1)} {_QUOTED.replace('(', '(?P<agent>', 1)})?",
    re.ASCII,
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"b": b"\b", b"f": b"\f"}


def looks_like_access_log(line: bytes) -> bool:
    """Whether a file that begins with ``line`` is one."""
    try:
        return (_request(line) or request_of(line)) is not None
    except ValueError:
        return False


def read_access_log(
    lines: Iterator[bytes], constants: dict[str, Any], salt: str, skipped: Counter[str]
) -> Iterator[bytes]:
    """Hits of the page views; ``constants`` name the site and whatever else each hit shall have.

    ``salt`` goes into the visitor's hash: without one, who knows the log's format can try all addresses.
    """
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            request = _request(line) or request_of(line)
            hit = _hit(request, constants, salt, skipped) if request else line
        except ValueError:
            hit = line
        if hit:
            yield hit


def _request(line: bytes) -> Request | None:
    """What a line of text tells; None if it is none."""
    match = _LINE.match(line.decode("utf-8", "replace"))
    if match is None:
        return None
    host, address, user, time, request, status, referrer, agent = match.groups("")
    method, _, rest = request.partition(" ")
    target, user, referrer = (
        "" if text == "-" else _unescaped(text) for text in (_target(rest), user, referrer)
    )
    return Request(
        host, address, user, log_time(time), method, target, status, referrer, "" if agent == "-" else agent
    )


def _hit(request: Request, constants: dict[str, Any], salt: str, skipped: Counter[str]) -> bytes | None:
    """The page view; None for a request that is none. ValueError for a target that cannot be."""
    reason = _reason_to_skip(request)
    if reason:
        skipped[reason] += 1
        return None
    target = request.target
    if target.startswith("/"):
        target = f"https://{request.host or constants['site']}{target}"
    elif not target.startswith(("http://", "https://")):
        raise ValueError(f"not the target of a page view: {target!r}")
    hit = {
        "event": "page_view",
        "visitor_id": _visitor(request.address, request.agent or "-", salt),
        "time": request.time,
        "url": target,
    }
    agent = _unescaped(request.agent)
    for field, text in (("user_id", request.user), ("referrer", request.referrer), ("user_agent", agent)):
        if text:
            hit[field] = text
    return orjson.dumps(hit | constants)


def _reason_to_skip(request: Request) -> str:
    if request.status[0] != "2" and request.status != "304":
        return "status"
    if request.method != "GET":
        return "method"
    name = request.target.partition("?")[0].rpartition("/")[2]
    return "asset" if "." in name and name.rpartition(".")[2].lower() in ASSETS else ""


def _target(rest: str) -> str:
    """``/a b HTTP/1.1`` -> ``/a b``; HTTP/0.9 has no protocol."""
    target, _, protocol = rest.rpartition(" ")
    return target if protocol.startswith("HTTP/") else rest


def _unescaped(text: str) -> str:
    """Undoes what nginx and Apache do to quotes, backslashes and bytes outside ASCII."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_byte, text.encode()).decode("utf-8", "replace")


def _byte(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes((int(code[1:], 16),)) if len(code) == 3 else _LETTERS.get(code, code)


@lru_cache(maxsize=65_536)
def _visitor(address: str, agent: str, salt: str) -> str:
    return blake2b(f"{address}\x1f{agent}\x1f{salt}".encode(), digest_size=16).hexdigest()
