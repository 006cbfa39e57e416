"""What the topic ``erasures`` says of stage models: which are in force, and how far their rebuild has come.

Whoever asks adds a request; the worker that leads adds the phases, the models in force and the receipt, and takes the
rest away; every worker says which parts it has done: in PREPARE, the models of which its files differ; in SWITCH, where
(``cut``); in REMAKE, what it has counted. Parts with a consequence are said in the transaction of that consequence.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.transport.kafka.followed import Record, put
from schemas.rebuild import InForce, Part, Phase, Request

CUT: Final = "cut"
_IN_FORCE: Final = b"models"
_PHASE: Final = b"rebuilding"
_REQUEST: Final = b"rebuild "
_PART: Final = b"part "
_RECEIPT: Final = b"rebuilt "
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


class Asked(msgspec.Struct, array_like=True):
    """A request without its number, which is the offset of its record."""

    models: tuple[str, ...]
    digests: dict[str, int]


class KnownModels:
    """All that has been read so far. ``in_force``: None before any worker has said so."""

    def __init__(self) -> None:
        self.in_force: InForce | None = None
        self.phase: Phase | None = None
        self.requests: dict[str, Request] = {}  # by name
        self.receipts: dict[str, bytes] = {}  # JSON, by the name of the request
        self.parts: dict[Part, dict[str, int]] = {}

    def take(self, record: Any) -> None:
        """The next record of the topic; those that tell of something else are left to others."""
        kind, _, rest = record.key.partition(b" ")
        name, value = rest.decode(errors="replace"), record.value
        if record.key == _IN_FORCE:
            self.in_force = _decode(value, type=InForce) if value else None
        elif record.key == _PHASE:
            self.phase = _decode(value, type=Phase) if value else None
        elif kind == _REQUEST.strip():
            asked = _decode(value, type=Asked) if value else None
            put(self.requests, name, asked and Request(record.offset, asked.models, asked.digests))
        elif kind == _PART.strip():
            put(self.parts, _decode(rest, type=Part), _decode(value, type=dict[str, int]) if value else None)
        elif kind == _RECEIPT.strip():
            put(self.receipts, name, value)

    def finished(self, name: str, receipt: bytes) -> Iterator[Record]:
        """The records that end a request."""
        yield _RECEIPT + name.encode(), receipt
        yield _PHASE, None
        for part in self.parts:
            yield _PART + _encode(part), None
        yield _REQUEST + name.encode(), None


def request(name: str, asked: Asked) -> Record:
    """Somebody asks."""
    return _REQUEST + name.encode(), _encode(asked)


def in_force(models: InForce) -> Record:
    """These hold from now on."""
    return _IN_FORCE, _encode(models)


def phase(one: Phase) -> Record:
    """This is to be done now."""
    return _PHASE, _encode(one)


def part(one: Part, said: Mapping[str, int]) -> Record:
    """It is done here."""
    return _PART + _encode(one), _encode(said)
