"""Records of the topic ``hits`` as columns: what can be read of them, and the dead letters of what cannot."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec.structs import astuple

from pipeline.core.decode import Flaw, KnownHit, decode_all
from pipeline.core.event_time import END_OF_TIME_MS, UNKNOWN_MS, column_of, event_times
from pipeline.core.slots import Array, Index
from schemas.hit import MAX_HIT_BYTES, MAX_URL_CHARS, Hit
from schemas.outcome import DeadLetter, Reason
from schemas.topics import HITS

CHUNK: Final = 1_000  # hits as objects at a time: few enough for the processor's cache


class Records(NamedTuple):
    """Some records in order; ``timestamps``: when each was received, ms."""

    values: list[bytes]
    timestamps: list[int]
    offsets: list[int]


class Reading(NamedTuple):
    """``fields``: a column per field of a hit, urls cut and "" where absent, currencies in capitals. Times in ms."""

    fields: dict[str, list[Any]]
    time: Index
    received: Index
    clamped: Array
    offset: Index
    letters: list[DeadLetter]
    unknown_fields: int  # hits that have any
    cut_urls: int

    def __len__(self) -> int:
        return len(self.time)


def read(records: Records, partition: int, *, knows_received: bool) -> Reading:
    """Every record is a row or a dead letter.

    ``knows_received`` false: files; when a recorded hit was received is not known if it tells only when it happened.
    """
    letters: dict[int, Flaw] = {}
    fields: dict[str, list[Any]] = {name: [] for name in Hit.__struct_fields__}
    unknown_fields = 0
    for at in range(0, len(records.values), CHUNK):
        found = decode_all(records.values[at : at + CHUNK])
        letters |= {at + place: flaw for place, flaw in enumerate(found) if type(flaw) is Flaw}
        hits = [hit for hit in found if not isinstance(hit, Flaw)]
        unknown_fields += sum(type(hit) is not KnownHit for hit in hits)
        if hits:
            for column, values in zip(fields.values(), zip(*map(astuple, hits), strict=True), strict=True):
                column.extend(values)
    good = [at for at in range(len(records.values)) if at not in letters]
    time, sent = column_of(fields["time"]), column_of(fields["sent_time"])
    received = column_of(fields["received_time"])
    arrived = np.array(records.timestamps, np.int64)[good]
    given = received != UNKNOWN_MS
    received = np.where(given | (not knows_received) & (time != UNKNOWN_MS), received, arrived)
    event, clamped = event_times(time, sent, received)
    known_received = np.where(received == UNKNOWN_MS, event, received)
    usable = event != UNKNOWN_MS
    if not usable.all():
        for at in np.flatnonzero(~usable).tolist():
            letters[good[at]] = _no_time(fields["site"][at], int(received[at]))
        kept = np.flatnonzero(usable).tolist()
        fields = {name: [column[at] for at in kept] for name, column in fields.items()}
    currencies = fields["currency"]
    if currencies.count(None) < len(currencies):  # views have none
        fields["currency"] = [code and code.upper() for code in currencies]
    cut = [_cut(fields, name) for name in ("url", "referrer")]
    return Reading(
        fields,
        event[usable],
        known_received[usable],
        clamped[usable],
        np.array(records.offsets, np.int64)[good][usable],
        list(_letters(letters, records, partition)),
        unknown_fields,
        sum(cut),
    )


def _cut(fields: dict[str, list[Any]], name: str) -> int:
    """Absent ones become "", those that are too long are cut, and counted."""
    texts = [text or "" for text in fields[name]]
    long = [at for at, text in enumerate(texts) if len(text) > MAX_URL_CHARS]
    for at in long:
        texts[at] = texts[at][:MAX_URL_CHARS]
    fields[name] = texts
    return len(long)


def _letters(flaws: dict[int, Flaw], records: Records, partition: int) -> Iterator[DeadLetter]:
    for at, flaw in sorted(flaws.items()):
        yield DeadLetter(
            topic=HITS.name,
            partition=partition,
            offset=records.offsets[at],
            reason=flaw.reason,
            field=flaw.field,
            message=flaw.message,
            site=flaw.site,
            received_time=records.timestamps[at],
            raw=records.values[at][:MAX_HIT_BYTES],
        )


def _no_time(site: str, received: int) -> Flaw:
    is_received_good = received == UNKNOWN_MS or 0 <= received < END_OF_TIME_MS
    field = "time" if is_received_good else "received_time"
    return Flaw(Reason.BAD_VALUE, field, "no time between 1970 and 2100 can be made of it", site)
