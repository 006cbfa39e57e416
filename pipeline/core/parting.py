"""A text's lines; records parted by visitors' keys into rows of a topic. Compiled where that could be built."""

from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec
import numpy as np

from pipeline.core import decode, plain_fields
from pipeline.core.numbers import Index
from pipeline.core.packed import Run, lines_by_search

if plain_fields.IS_COMPILED:
    from pipeline.core import plain

_pack = msgspec.msgpack.Encoder().encode
_ARRAY_HEADS: Final = ((16, 1), (1 << 16, 3), (1 << 32, 5))  # bytes, for less than so many elements
_BYTES_HEADS: Final = ((1 << 8, 2), (1 << 16, 3), (1 << 32, 5))


def lines_of(text: bytes, most: int) -> Run:
    """See :func:`pipeline.core.packed.lines_by_search`."""
    return Run(text, *plain.lines(text, most)) if plain_fields.IS_COMPILED else lines_by_search(text, most)


def targets_of(raws: Sequence[bytes], partitions: int) -> Index:
    """The partition of each record's key; a hit without a key (it could not be read) goes by its bytes."""
    if not plain_fields.IS_COMPILED:
        return targets_by_each(raws, partitions)
    targets: Index = plain.targets(raws, partitions)
    odd = np.flatnonzero(targets < 0)
    targets[odd] = targets_by_each([raws[at] for at in odd.tolist()], partitions)
    return targets


def targets_by_each(raws: Sequence[bytes], partitions: int) -> Index:
    """The same, in Python."""
    keys = decode.keys_of(raws)
    found = (crc32(key or raw) % partitions for key, raw in zip(keys, raws, strict=True))
    return np.fromiter(found, np.int64, len(raws))


def rows_of(raws: Sequence[bytes], targets: Index, partitions: int, time: int) -> list[Run]:
    """For each partition its records, in order, where they lie in the msgpack of (records, times).

    ``time``: that of each of them, ms.
    """
    if not plain_fields.IS_COMPILED:
        return rows_by_each(raws, targets, partitions, time)
    return [Run(*row) for row in plain.parted(raws, targets, partitions, _pack(time))]


def rows_by_each(raws: Sequence[bytes], targets: Index, partitions: int, time: int) -> list[Run]:
    """The same, in Python."""
    some: list[list[bytes]] = [[] for _ in range(partitions)]
    for raw, target in zip(raws, targets.tolist(), strict=True):
        some[target].append(raw)
    return [_row(records, time) for records in some]


def _row(records: list[bytes], time: int) -> Run:
    sizes = np.fromiter(map(len, records), np.int64, len(records))
    heads = np.array([_head(_BYTES_HEADS, size) for size in sizes.tolist()], np.int64)
    ends = np.cumsum(heads + sizes) + 1 + _head(_ARRAY_HEADS, len(records))
    return Run(_pack((records, [time] * len(records))), ends - sizes, ends)


def _head(heads: tuple[tuple[int, int], ...], size: int) -> int:
    return next(width for limit, width in heads if size < limit)
