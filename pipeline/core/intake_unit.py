"""What the sessionizer's hop says of a unit of work (:class:`Output`), and what it keeps in its two journals."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from pipeline.core.evidence import Evidences
from pipeline.core.hit_columns import Columns
from pipeline.core.persons.teller import Touched
from pipeline.core.sessionizer import Said
from pipeline.core.watermark import Watermark
from schemas.outcome import DeadLetter, LedgerRow, Outcome


class Meta(Struct, array_like=True):
    """State of the partition beside its visitors. ``ledger``: site -> outcome -> hits since the beginning."""

    watermark: Watermark
    version: int = 0
    ledger: dict[str, dict[str, int]] = {}


class Output(Struct):
    """What one unit of work says. ``hits``: columns of rows, None for no row; None in them: absent. ``sessions``: some
    columns after the other, to be read once and before the next unit of work.

    ``state`` and ``ids``: entries of the two journals, None where nothing changed; ``needed`` and ``ids_needed``: the
    numbers of the first entries that are needed to restore.
    """

    said: Said
    hits: Columns | None = None
    sessions: Iterable[Columns] = ()
    evidence: Evidences | None = None
    touched: Touched = field(default_factory=Touched)
    dead_letters: list[DeadLetter] = []
    outcomes: dict[tuple[str, Outcome], int] = {}  # (site, outcome) -> hits of this unit
    ledger: list[LedgerRow] = []
    unknown_fields: int = 0  # hits that have any
    cut_urls: int = 0
    watermark: int | None = None
    has_new_watermark: bool = False
    has_new_minute: bool = False  # of the watermark
    state: bytes | None = None
    needed: int = 0
    ids: bytes | None = None
    ids_needed: int = 0


class State(Struct, array_like=True):
    """An entry of the journal of sessions: ``sessions`` is one of their slots."""

    meta: Meta
    sessions: bytes


class Ids(Struct, array_like=True):
    """An entry of the journal of hit_ids: uint64 and int64 bytes. ``latest``: of the event times, ms."""

    latest: int
    digests: bytes
    times: bytes


encode = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(State).decode
decode_ids = msgspec.msgpack.Decoder(Ids).decode
