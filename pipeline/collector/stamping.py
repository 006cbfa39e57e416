"""Single hits -> records of the topic ``hits``, and what to tell their sender. Pure: the time is handed in.

Every hit becomes a record, in order, also one that is refused: the sessionizer is the judge, and this module
asks the same judge about the same bytes. A record's value is the hit with ``received_time`` (ms UTC) put in
at its end, where it overrides the sender's, and the browser's user agent and language where the hit has none.
Bytes that are not JSON stay as they are. Values are cut one byte over the limit of a hit, so that too large
stays too large.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Struct

from pipeline.collector.publisher import Record
from pipeline.core.decode import Flaw, decode
from pipeline.core.ids import visitor_key
from schemas.hit import MAX_HIT_BYTES
from schemas.outcome import Reason

_MAX_USER_AGENT_CHARS = 4_096
_CUT = MAX_HIT_BYTES + 1
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}")


class Refused(Struct, frozen=True):
    """A hit that will become a dead letter, or that the gate did not let in, by its place in the request."""

    index: int
    reason: str  # of schemas.outcome.Reason, or why the gate refused it
    field: str
    message: str


class Taken(NamedTuple):
    """``records``: one for every hit of the request. ``refused``: those of them that are no hits."""

    records: list[Record]
    refused: list[Refused]


class Stamp(NamedTuple):
    """What the collector knows of all hits of one request, as JSON members."""

    received_time: bytes
    user_agent: bytes
    language: bytes


@lru_cache(maxsize=4_096)
def _members_of(user_agent: str, accept_language: str) -> tuple[bytes, bytes]:
    # A server that relays hits names its HTTP library here, which would make its customers bots.
    if not user_agent.startswith("Mozilla/"):
        return b"", b""
    text = user_agent[:_MAX_USER_AGENT_CHARS].encode(errors="replace").decode()
    language = _LANGUAGE.match(accept_language)
    return (
        b'"user_agent":' + msgspec.json.encode(text) + b",",
        b'"language":' + msgspec.json.encode(language[0]) + b"," if language else b"",
    )


def stamp(now_ms: int, *, user_agent: str, accept_language: str) -> Stamp:
    """``user_agent`` and ``accept_language``: the request's headers, "" where there is none."""
    return Stamp(b'"received_time":%d}' % now_ms, *_members_of(user_agent, accept_language))


def take_in(hits: list[bytes], mark: Stamp) -> Taken:
    """The records of a request's hits."""
    records: list[Record] = []
    refused: list[Refused] = []
    for index, raw in enumerate(hits):
        key, value, flaw = _take_in(raw, mark)
        records.append((key, value))
        if flaw is not None:
            refused.append(Refused(index, flaw.reason, flaw.field, flaw.message))
    return Taken(records, refused)


def _take_in(raw: bytes, mark: Stamp) -> tuple[bytes, bytes, Flaw | None]:
    value = _put_in(raw, mark.received_time)[:_CUT]
    hit = decode(value)
    if isinstance(hit, Flaw):
        return b"", raw if hit.reason is Reason.NOT_JSON else value, hit
    missing = b""
    if hit.user_agent is None:
        missing = mark.user_agent
    if hit.language is None:
        missing += mark.language
    if missing:
        fuller = _put_in(raw, missing + mark.received_time)
        value = fuller if len(fuller) <= MAX_HIT_BYTES else value
    return visitor_key(hit.site, hit.visitor_id, hit.user_id).encode(), value, None


def _put_in(raw: bytes, members: bytes) -> bytes:
    """The object with members at its end; anything else as it is."""
    if not (raw.startswith(b"{") and raw.endswith(b"}")):
        return raw
    separator = b"," if b'"' in raw else b""  # an object without a quotation mark is empty
    return raw[:-1] + separator + members
