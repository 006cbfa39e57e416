"""What the topic ``erasures`` says, in the order of its records: the newest of a key holds, and an empty one ends it.

Its one partition is compacted. Whoever asks adds a request; the worker that does it adds who stays out, one step after
the other, and the receipt, and takes the request away; every worker says where it has done a step. A request and a step
hold ids, and end when the receipt is there.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from pipeline.core.suppression import digest
from pipeline.transport.kafka.followed import Record, put
from schemas.erasure import Place, Request, Step

KEY: Final = b"key"
STEP: Final = b"step"
_OUT: Final = b"out "
_REQUEST: Final = b"request "
_DONE: Final = b"done "
_RECEIPT: Final = b"receipt "
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


class Asked(msgspec.Struct, array_like=True):
    """A request without its number, which is the offset of its record."""

    site: str
    kind: str
    id: str
    asked_ms: int


class Receipt(msgspec.Struct, array_like=True):
    """``text``: JSON. ``site``: of which somebody was erased."""

    site: str
    text: bytes


class Known:
    """All that has been read so far. ``key``: of the hashes; empty until the first erasure."""

    def __init__(self) -> None:
        self.key = b""
        self.step: Step | None = None
        self.requests: dict[str, Request] = {}  # by name
        self.receipts: dict[str, Receipt] = {}  # by the name of the request
        self.done: dict[Place, dict[str, int]] = {}  # table -> rows removed, of the store's
        self._out: dict[bytes, bytes] = {}

    @property
    def suppressed(self) -> frozenset[bytes]:
        """Hashes of who stays out."""
        return frozenset(self._out)

    @property
    def sites(self) -> set[str]:
        """Sites of which somebody was erased."""
        return {receipt.site for receipt in self.receipts.values()}

    def digest(self, site: str, kind: str, an_id: str) -> bytes:
        """Who it is, by the key."""
        return digest(self.key, site, kind, an_id)

    def is_out(self, site: str, kind: str, an_id: str) -> bool:
        """Is it one of those who stay out?"""
        return bool(self.key) and self.digest(site, kind, an_id) in self._out

    def take(self, record: Any) -> None:
        """The next record of the topic; those of other kinds are left to others."""
        kind, _, name = record.key.partition(b" ")
        text, value = name.decode(errors="replace"), record.value
        if record.key == KEY:
            self.key = value or b""
        elif record.key == STEP:
            self.step = _decode(value, type=Step) if value else None
        elif kind == _OUT.strip():
            put(self._out, name, value)
        elif kind == _REQUEST.strip():
            asked = _decode(value, type=Asked) if value else None
            request = asked and Request(record.offset, asked.site, asked.kind, asked.id, asked.asked_ms)
            put(self.requests, text, request)
        elif kind == _RECEIPT.strip():
            put(self.receipts, text, _decode(value, type=Receipt) if value else None)
        elif kind == _DONE.strip():
            put(self.done, _decode(name, type=Place), _decode(value, type=dict[str, int]) if value else None)

    def finished(self, name: str, receipt: bytes) -> Iterator[Record]:
        """The records that end a request."""
        yield _RECEIPT + name.encode(), _encode(Receipt(self.requests[name].site, receipt))
        yield from self.steps_ended()
        yield _REQUEST + name.encode(), None

    def steps_ended(self) -> Iterator[Record]:
        """The records that end the steps of a request."""
        yield STEP, None
        for place in self.done:
            yield _DONE + _encode(place), None


def request(name: str, asked: Asked) -> Record:
    """Somebody asks."""
    return _REQUEST + name.encode(), _encode(asked)


def out(digests: Iterable[bytes], *, stays: bool = True) -> list[Record]:
    """They stay out, or not any more."""
    return [(_OUT + one, b"1" if stays else None) for one in digests]


def step(one: Step) -> Record:
    """This is to be done now."""
    return STEP, _encode(one)


def done(place: Place, removed: dict[str, int]) -> Record:
    """It is done here."""
    return _DONE + _encode(place), _encode(removed)
