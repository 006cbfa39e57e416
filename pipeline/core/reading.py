"""Records of the topic ``hits`` as columns: what can be read of them, and the dead letters of what cannot."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.coded import rows_at
from pipeline.core.decode import Flaw
from pipeline.core.event_time import END_OF_TIME_MS, UNKNOWN_MS, event_times
from pipeline.core.hit_fields import TIMES
from pipeline.core.plain_fields import fields_of
from pipeline.core.slots import Array, Index
from schemas.hit import MAX_HIT_BYTES, MAX_URL_CHARS
from schemas.outcome import DeadLetter, Reason
from schemas.topics import HITS


class Records(NamedTuple):
    """Some records in order; ``timestamps``: when each was received, ms."""

    values: Sequence[bytes] = ()
    timestamps: Sequence[int] = ()
    offsets: Sequence[int] = ()

    def followed_by(
        self, values: Sequence[bytes], timestamps: Sequence[int], offsets: Sequence[int]
    ) -> "Records":
        """These, and then those."""
        if not self.values:
            return Records(values, timestamps, offsets)
        return Records([*self.values, *values], [*self.timestamps, *timestamps], [*self.offsets, *offsets])


class Reading(NamedTuple):
    """``fields``: a column per field of a hit, as in ``pipeline.core.hit_fields``; urls cut and "" where absent,
    currencies in capitals. Times in ms.
    """

    fields: dict[str, Any]
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
    fields, good, letters, unknown_fields = fields_of(records.values)
    time, sent, received = (fields[name] for name in TIMES)
    arrived = _array(records.timestamps)[good]
    given = received != UNKNOWN_MS
    received = np.where(given | (not knows_received) & (time != UNKNOWN_MS), received, arrived)
    event, clamped = event_times(time, sent, received)
    known_received = np.where(received == UNKNOWN_MS, event, received)
    usable = event != UNKNOWN_MS
    if not usable.all():
        for at in np.flatnonzero(~usable).tolist():
            letters[int(good[at])] = _no_time(fields["site"][at], int(received[at]))
        fields = {name: rows_at(column, np.flatnonzero(usable)) for name, column in fields.items()}
    fields["currency"] = fields["currency"].map(lambda code: code and code.upper())
    cut = [_cut(fields, name) for name in ("url", "referrer")]
    return Reading(
        fields,
        event[usable],
        known_received[usable],
        clamped[usable],
        _array(records.offsets)[good][usable],
        list(_letters(letters, records, partition)),
        unknown_fields,
        sum(cut),
    )


def _array(numbers: Sequence[int]) -> Index:
    if isinstance(numbers, range):  # numpy would ask it for each
        return np.arange(numbers.start, numbers.stop, numbers.step)
    return np.array(numbers, np.int64)


def _cut(fields: dict[str, Any], name: str) -> int:
    """Absent ones become "", those that are too long are cut, and counted."""
    texts = fields[name]
    fields[name] = texts.map(lambda text: (text or "")[:MAX_URL_CHARS])
    is_long = [len(text or "") > MAX_URL_CHARS for text in texts.values]
    return int(np.count_nonzero(np.array(is_long)[texts.codes])) if any(is_long) else 0


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
