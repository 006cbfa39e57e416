"""Fields of a batch's hits, keys and digests: compiled where ``plain`` and ``digests`` could be built, else in Python.

Both ways give the same. The compiled one is for batches most of whose records are plain, and asks ``decode`` about each
of the others.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from pipeline.core import decode, duplicates, hit_fields
from pipeline.core.coded import Coded, rows_at
from pipeline.core.decode import Flaw, KnownHit
from pipeline.core.duplicates import Digests
from pipeline.core.event_time import column_of
from pipeline.core.hit_fields import LISTS, TEXTS, TIMES, Fields
from schemas.hit import Hit

IS_COMPILED = True
try:
    from pipeline.core import digests, numbering, plain  # noqa: F401
except ImportError:  # no C compiler was there when it was installed
    IS_COMPILED = False

ODD_SHARE: Final = 0.25  # of a batch's records: with more of them the Python way is faster


def fields_of(raws: Sequence[bytes]) -> Fields:
    """What can be read of these records; see :func:`pipeline.core.hit_fields.fields_of`."""
    return compiled(raws) if IS_COMPILED else hit_fields.fields_of(raws)


def compiled(raws: Sequence[bytes], odd_share: float = ODD_SHARE) -> Fields:
    """The compiled way, as long as no more than ``odd_share`` of the records are odd."""
    columns, odd, nested = plain.columns_of(raws)
    if len(odd) > odd_share * len(raws):
        return hit_fields.fields_of(raws)
    flaws = _check_nested(columns, nested)
    hits: dict[int, Hit] = {}
    for at in odd:
        found = decode.decode(raws[at])
        if isinstance(found, Flaw):
            flaws[at] = found
        else:
            hits[at] = found
    _put(columns, hits)
    good = np.delete(np.arange(len(raws)), list(flaws))
    if flaws:
        columns = {name: rows_at(column, good) for name, column in columns.items()}
    if odd or flaws:
        columns |= {name: columns[name].compact(keeping=1) for name in TEXTS}  # None stays the first
    unknown_fields = sum(type(hit) is not KnownHit for hit in hits.values())
    return Fields(columns, good, flaws, unknown_fields)


def keys_of(raws: Sequence[bytes]) -> list[bytes]:
    """The records' keys in the topic; see :func:`pipeline.core.decode.keys_of`."""
    if not IS_COMPILED:
        return decode.keys_of(raws)
    keys = plain.keys(raws)
    odd = [at for at, key in enumerate(keys) if key is None]
    for at, key in zip(odd, decode.keys_of([raws[at] for at in odd]), strict=True):
        keys[at] = key
    return cast(list[bytes], keys)


def digests_of(keys: Coded, hit_ids: Sequence[str]) -> Digests:
    """The hashes of (the visitor's key, hit_id); see :func:`pipeline.core.duplicates.digests_of`."""
    if not IS_COMPILED:
        return duplicates.digests_of(keys, hit_ids)
    return np.frombuffer(digests.digests(list(keys.values), keys.codes, list(hit_ids)), np.uint64)


def _check_nested(columns: dict[str, Any], places: Sequence[int]) -> dict[int, Flaw]:
    """Flaws of items and props, by place; ``places``: of the hits that have them."""
    flaws: dict[int, Flaw] = {}
    items, props, sites = columns["items"], columns["props"], columns["site"]
    for at in places:
        found = decode.nested_of(items[at], props[at], sites[at])
        if isinstance(found, Flaw):
            flaws[at] = found
        else:
            items[at], props[at] = found
    return flaws


def _put(columns: dict[str, Any], hits: dict[int, Hit]) -> None:
    """Fill in the rows of these hits; a value that a column's table has keeps its code."""
    if not hits:
        return
    places = list(hits)
    for name in LISTS:
        for at, hit in hits.items():
            columns[name][at] = getattr(hit, name)
    for name in TIMES:
        columns[name][places] = column_of([getattr(hit, name) for hit in hits.values()])
    for name in TEXTS:
        column = columns[name]
        code = {value: number for number, value in enumerate(column.values)}
        column.codes[places] = [code.setdefault(getattr(hit, name), len(code)) for hit in hits.values()]
        columns[name] = Coded(column.codes, list(code))
