"""Rows on their way from a hop to the store: Arrow record batches, built once by the hop and inserted as they are.

A value of a rows topic is an Arrow IPC stream of one record batch with the columns of ``schemas.rows``.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa
from msgspec import Struct

from schemas.rows import TABLES

INT64_MAX: Final = 2**63 - 1


def block(table: str, rows: Sequence[Sequence[Any]]) -> bytes:
    """``rows``: tuples in the order of the table's columns, at least one."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLES[table]) as writer:
        writer.write_batch(_batch(table, rows))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def blocks_of(table: str, records: Sequence[Struct]) -> list[bytes]:
    """The records of one hop as one block, or none; the columns are the fields of the same names."""
    return [block(table, _rows(table, records))] if records else []


def to_arrow(table: str, records: Sequence[Struct]) -> pa.Table:
    """The records as a table."""
    return pa.Table.from_batches([_batch(table, _rows(table, records))] if records else [], TABLES[table])


def read_blocks(table: str, blocks: Sequence[bytes]) -> pa.Table:
    """The rows of several blocks in their order."""
    batches = [batch for one in blocks for batch in pa.ipc.open_stream(one)]
    return pa.Table.from_batches(batches, TABLES[table])


def _rows(table: str, records: Sequence[Struct]) -> list[tuple[Any, ...]]:
    return list(map(attrgetter(*TABLES[table].names), records))


def _batch(table: str, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    schema = TABLES[table]
    columns = zip(*rows, strict=True)
    arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _array(values: Sequence[Any], of_type: pa.DataType) -> pa.Array:
    first = values[0]
    if first == values[-1] and values.count(first) == len(values):
        # Many columns say the same in every row of a block: nothing to convert.
        return pa.repeat(_clamped(values[:1], of_type)[0], len(values))
    return _clamped(values, of_type)


def _clamped(values: Sequence[Any], of_type: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, type=of_type)
    except (OverflowError, pa.ArrowInvalid):
        if not pa.types.is_int64(of_type):
            raise
        # A sum of absurd amounts must not stop the stream: it stays at the edge of what can be stored.
        return pa.array([max(-INT64_MAX, min(INT64_MAX, value)) for value in values], type=of_type)
