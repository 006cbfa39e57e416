"""The fields of a batch's hits as columns; texts, most of which repeat, as codes (``pipeline.core.coded``)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec.structs import astuple

from pipeline.core.coded import Codes
from pipeline.core.decode import Flaw, KnownHit, decode_all
from pipeline.core.event_time import column_of
from pipeline.core.slots import Index
from schemas.hit import Hit

CHUNK: Final = 1_000  # hits as objects at a time: few enough for the processor's cache
TIMES: Final = ("time", "sent_time", "received_time")
LISTS: Final = ("hit_id", "revenue", "score", "scale", "items", "props")  # seldom there, or hardly any twice
TEXTS: Final = tuple(name for name in Hit.__struct_fields__ if name not in {*TIMES, *LISTS})


class Fields(NamedTuple):
    """``columns``: those of :data:`TEXTS` are Coded, the first of their values is None and no value comes twice;
    those of :data:`TIMES` ms, or UNKNOWN_MS; those of :data:`LISTS` lists. They have a row for each hit.

    ``good``: places of the hits among the records; ``flaws``: by place, what is wrong with each of the others.
    """

    columns: dict[str, Any]
    good: Index
    flaws: dict[int, Flaw]
    unknown_fields: int  # hits that have any


def fields_of(raws: Sequence[bytes]) -> Fields:
    """What can be read of these records."""
    flaws: dict[int, Flaw] = {}
    found: dict[str, list[Any]] = {name: [] for name in Hit.__struct_fields__}
    unknown_fields = 0
    for at in range(0, len(raws), CHUNK):
        decoded = decode_all(raws[at : at + CHUNK])
        flaws |= {at + place: one for place, one in enumerate(decoded) if type(one) is Flaw}
        hits = [one for one in decoded if not isinstance(one, Flaw)]
        unknown_fields += sum(type(hit) is not KnownHit for hit in hits)
        if hits:
            for column, values in zip(found.values(), zip(*map(astuple, hits), strict=True), strict=True):
                column.extend(values)
    columns: dict[str, Any] = {name: found[name] for name in LISTS}
    columns |= {name: column_of(found[name]) for name in TIMES}
    columns |= {name: Codes((None,)).of(found[name]) for name in TEXTS}
    good = np.array([at for at in range(len(raws)) if at not in flaws], np.int64)
    return Fields(columns, good, flaws, unknown_fields)
