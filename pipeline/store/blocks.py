"""Rows on their way from a hop to the store: Arrow record batches, built once by the hop and inserted as they are.

A value of a rows topic is an Arrow IPC stream of one record batch with the columns of ``schemas.rows``.
"""

import sys
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from msgspec import Struct

from pipeline.core.coded import Coded
from pipeline.core.slots import Array
from schemas.rows import NULLABLE, TABLES

INT64_MAX: Final = 2**63 - 1


class _NoPandas:
    """Arrow looks for pandas with the first value it converts: a third of a second and 45 MB, for nothing."""

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """There is none, just now."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


with _NoPandas():
    pa.array([0])


def block(table: str, columns: Mapping[str, Sequence[Any] | Array]) -> bytes:
    """``columns``: by name, at least one row; None in a column that cannot be null is its type's empty value."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLES[table]) as writer:
        writer.write_batch(_batch(table, columns))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def blocks_of(table: str, records: Sequence[Struct]) -> list[bytes]:
    """The records of one hop as one block, or none; the columns are the fields of the same names."""
    return [block(table, _columns(table, records))] if records else []


def to_arrow(table: str, records: Sequence[Struct]) -> pa.Table:
    """The records as a table."""
    return pa.Table.from_batches([_batch(table, _columns(table, records))] if records else [], TABLES[table])


def read_blocks(table: str, blocks: Sequence[bytes]) -> pa.Table:
    """The rows of several blocks in their order."""
    batches = [batch for one in blocks for batch in pa.ipc.open_stream(one)]
    return pa.Table.from_batches(batches, TABLES[table])


def pack(rows: pa.Table) -> bytes:
    """Rows of a table as one block; there may be none."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _columns(table: str, records: Sequence[Struct]) -> dict[str, Sequence[Any]]:
    names = TABLES[table].names
    return dict(zip(names, zip(*map(attrgetter(*names), records), strict=True), strict=True))


def _batch(table: str, columns: Mapping[str, Sequence[Any] | Array]) -> pa.RecordBatch:
    schema = TABLES[table]
    made: dict[tuple[int, pa.DataType], pa.Array] = {}  # columns that are the same object are converted once
    for field in schema:
        values = columns[field.name]
        key = (id(values), field.type)
        if key not in made:
            made[key] = _array(values, field)
    arrays = [made[id(columns[field.name]), field.type] for field in schema]
    return pa.record_batch(arrays, schema=schema)


def _array(values: Sequence[Any] | Array, field: pa.Field) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values).cast(field.type)
    if isinstance(values, Coded):
        used = values if len(values.values) <= len(values) else values.compact()
        return _array(used.values, field).take(pa.array(used.codes))
    first = values[0]
    if first == values[-1] and values.count(first) == len(values):
        # Many columns say the same in every row of a block: nothing to convert.
        array = pa.repeat(_clamped(values[:1], field.type)[0], len(values))
    else:
        array = _clamped(values, field.type)
    if array.null_count and field.name not in NULLABLE:
        return array.fill_null(pa.scalar(b"" if pa.types.is_binary(field.type) else "").cast(field.type))
    return array


def _clamped(values: Sequence[Any], of_type: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, type=of_type)
    except (OverflowError, pa.ArrowInvalid):
        if not pa.types.is_int64(of_type):
            raise
        # A sum of absurd amounts must not stop the stream: it stays at the edge of what can be stored.
        return pa.array([max(-INT64_MAX, min(INT64_MAX, value)) for value in values], type=of_type)
