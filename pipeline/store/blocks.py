"""Rows on their way from a hop to the store: Arrow record batches, built once by the hop and inserted as they are.

A value of a rows topic is an Arrow IPC stream of one record batch with the columns of ``schemas.rows``, those left out
that are empty in every row: nearly half of them, for page views. Texts may be coded (Arrow's dictionaries). It is fewer
bytes by half to be copied, compressed and kept.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from msgspec import Struct

from pipeline.core.coded import Coded
from pipeline.core.slots import Array
from schemas.rows import NULLABLE, TABLES

INT64_MAX: Final = 2**63 - 1
CODED: Final = pa.dictionary(pa.int32(), pa.string())
LEAST_CODED: Final = 500  # rows; in smaller blocks the tables of values cost more than they save


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
    """``columns``: by name, at least one row; None in a column that cannot be null is its type's empty value. Ids of 16
    bytes become texts of 32 hexadecimal digits; zeros, no id, become "".
    """
    return _stream(_batch(TABLES[table], columns))


def blocks_of(table: str, records: Sequence[Struct]) -> list[bytes]:
    """The records of one hop as one block, or none; the columns are the fields of the same names."""
    return [block(table, _columns(table, records))] if records else []


def to_arrow(table: str, records: Sequence[Struct]) -> pa.Table:
    """The records as a table."""
    return read_blocks(table, blocks_of(table, records))


def read_blocks(table: str, blocks: Sequence[bytes]) -> pa.Table:
    """The rows of several blocks in their order."""
    return _joined(_batches(blocks), TABLES[table])


def join_blocks(table: str, blocks: Sequence[bytes]) -> pa.Table:
    """The same for the store: without the columns that all blocks leave out, and what one of them codes is coded."""
    batches = _batches(blocks)
    said = {field.name for batch in batches for field in batch.schema}
    coded = {field.name for batch in batches for field in batch.schema if pa.types.is_dictionary(field.type)}
    fields = [field.with_type(CODED) if field.name in coded else field for field in TABLES[table]]
    return _joined(batches, pa.schema([field for field in fields if field.name in said]))


def without_codes(rows: pa.Table) -> pa.Table:
    """The same rows, all texts plain, in one piece."""
    fields = [field.with_type(_uncoded(field.type)) for field in rows.schema]
    return rows.cast(pa.schema(fields)).combine_chunks()


def is_of(table: str, field: pa.Field) -> bool:
    """Whether the table has such a column, coded or not."""
    return field.with_type(_uncoded(field.type)) in TABLES[table]


def pack(rows: pa.Table) -> bytes:
    """Rows of a table as one block; there may be none."""
    return _stream(rows)


def _stream(rows: pa.Table | pa.RecordBatch) -> bytes:
    sink = BytesIO()  # gives its bytes away without a copy
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write(rows)
    return sink.getvalue()


def _batches(blocks: Sequence[bytes]) -> list[pa.RecordBatch]:
    return [batch for one in blocks for batch in pa.ipc.open_stream(one)]


def _joined(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches([_as(schema, batch) for batch in batches], schema)


def _uncoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _as(schema: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all columns of the schema, each coded or not as it is there."""
    said = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [
        said[field.name] if field.name in said else pa.repeat(_empty(field), batch.num_rows)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


@cache
def _empty(field: pa.Field) -> pa.Scalar:
    """What a column that was left out holds; the tables in ClickHouse have the same defaults."""
    kind = _uncoded(field.type)
    if field.name in NULLABLE:
        return pa.scalar(None, kind)
    if pa.types.is_list(kind):
        return pa.scalar([], kind)
    is_text = pa.types.is_string(kind) or pa.types.is_binary(kind)
    return pa.scalar("" if is_text else 0).cast(kind)


def _columns(table: str, records: Sequence[Struct]) -> dict[str, Sequence[Any]]:
    names = TABLES[table].names
    return dict(zip(names, zip(*map(attrgetter(*names), records), strict=True), strict=True))


def _batch(schema: pa.Schema, columns: Mapping[str, Sequence[Any] | Array]) -> pa.RecordBatch:
    made: dict[tuple[int, pa.DataType], pa.Array] = {}  # columns that are the same object are converted once
    arrays: dict[str, pa.Array] = {}
    for field in schema:
        values = columns[field.name]
        if arrays and _is_empty(values, field):  # the first says how many rows there are
            continue
        key = (id(values), field.type)
        if key not in made:
            made[key] = _array(values, field)
        arrays[field.name] = made[key]
    return pa.record_batch(arrays)


def _is_empty(values: Sequence[Any] | Array, field: pa.Field) -> bool:
    """Whether no row says anything."""
    can_be_null = field.name in NULLABLE
    if isinstance(values, np.ndarray):
        return not can_be_null and not (_words(values) if values.dtype.kind == "V" else values).any()
    if isinstance(values, Coded):
        return _is_empty(values.values, field)
    first = values[0]
    return (first is None or not (first or can_be_null)) and _is_constant(values)


def _is_constant(values: Sequence[Any]) -> bool:
    first = values[0]
    return bool(first == values[-1]) and values.count(first) == len(values)


def _array(values: Sequence[Any] | Array, field: pa.Field) -> pa.Array:
    if isinstance(values, np.ndarray):
        return _converted(values, field)
    if isinstance(values, Coded):
        if len(values) < LEAST_CODED:  # an array's `take` costs more than these rows
            table = values.values
            return _converted(table[values.codes] if isinstance(table, np.ndarray) else list(values), field)
        used = values if len(values.values) <= len(values) else values.compact()
        return _coded(used.codes, used.values, field)
    if len(values) >= LEAST_CODED and _is_constant(values):
        return _coded(np.zeros(len(values), np.int8), values[:1], field)
    return _converted(values, field)


def _coded(codes: Array, values: Sequence[Any], field: pa.Field) -> pa.Array:
    array = _converted(values, field)
    if not pa.types.is_string(field.type):
        return array.take(pa.array(codes))
    codes = codes.astype(np.min_scalar_type(len(values)))
    return pa.DictionaryArray.from_arrays(codes, array, safe=False)


def _converted(values: Sequence[Any] | Array, field: pa.Field) -> pa.Array:
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "V":
            return _hexadecimal(values)
        if pa.types.is_timestamp(field.type):
            return pa.array(values).view(field.type)  # milliseconds as they are
        return pa.array(values, type=field.type)
    try:
        array = pa.array(values, type=field.type)
    except (OverflowError, pa.ArrowInvalid):
        if not pa.types.is_int64(field.type):
            raise
        # A sum of absurd amounts must not stop the stream: it stays at the edge of what can be stored.
        edged = [max(-INT64_MAX, min(INT64_MAX, value)) for value in values]
        array = pa.array(edged, type=field.type)
    return array.fill_null(_empty(field)) if array.null_count and field.name not in NULLABLE else array


def _hexadecimal(ids: Array) -> pa.Array:
    is_one = _words(ids).any(axis=1)
    digits = ids[is_one].tobytes().hex().encode()
    ends = np.concatenate(([0], np.cumsum(is_one * 2 * ids.itemsize))).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(ends), pa.py_buffer(digits)])


def _words(ids: Array) -> Array:
    return np.ascontiguousarray(ids).view(np.uint64).reshape(len(ids), -1)
