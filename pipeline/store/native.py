"""ClickHouse's format Native, made of an Arrow table: what the engine reads with the least work.

A coded text is sent as LowCardinality, a table of values and a code for each row, which the engine makes plain: a fifth
of the bytes. Source: https://clickhouse.com/docs/interfaces/formats/Native, and for the columns the engine's
SerializationLowCardinality, SerializationString, SerializationNullable, SerializationArray.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.numbers import numbered
from pipeline.core.slots import Array

_SHARED_DICTIONARIES: Final = 1  # the only version of LowCardinality
_OWN_VALUES: Final = 0x600  # of a column's codes: its values come with it, and none from before hold
_WIDTHS: Final = (np.uint8, np.uint16, np.uint32)  # of codes; the place of one is its number in the format
_ONE_BYTE: Final = 0x80  # numbers below it are one byte long
_NAMES: Final = {
    pa.bool_(): "UInt8",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.uint64(): "UInt64",
    pa.float64(): "Float64",
    pa.string(): "String",
    pa.binary(): "String",
}
_Write = Callable[[Any], object]


def write_native(rows: pa.Table, write: _Write) -> None:
    """The rows as one block. ``write`` takes what is a buffer. Columns are of the types of ``schemas.rows``, or texts
    coded with 32 bits, each chunk with values of its own; only numbers may be null.
    """
    write(_number(rows.num_columns) + _number(rows.num_rows))
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        write(_text(name))
        if pa.types.is_dictionary(column.type):
            _write_coded(column.chunks, write)
            continue
        values = column.combine_chunks()
        if values.null_count:
            write(_text(f"Nullable({_name(values.type)})"))
            write(_flags(values.is_null()))
        else:
            write(_text(_name(values.type)))
        _write_values(values, write)


def _write_coded(chunks: list[pa.Array], write: _Write) -> None:
    """The chunks' values stand one after another, some of them twice, which the engine allows."""
    values = pa.concat_arrays([chunk.dictionary for chunk in chunks])
    number = sum(len(values) > np.iinfo(width).max for width in _WIDTHS)
    codes, row, before = np.empty(sum(map(len, chunks)), _WIDTHS[number]), 0, 0
    for chunk in chunks:
        np.add(chunk.indices, before, out=codes[row : row + len(chunk)], casting="unsafe")
        row, before = row + len(chunk), before + len(chunk.dictionary)
    write(_text(f"LowCardinality({_name(values.type)})"))
    write(np.array([_SHARED_DICTIONARIES, _OWN_VALUES | number, len(values)], np.int64))
    _write_values(values, write)
    write(np.array([len(codes)], np.int64))
    write(codes)


def _write_values(values: pa.Array, write: _Write) -> None:
    if pa.types.is_list(values.type):
        write(values.offsets.to_numpy()[1:].astype(np.int64))
        _write_values(values.flatten(), write)
    elif pa.types.is_boolean(values.type):
        write(_flags(values))
    elif values.type in (pa.string(), pa.binary()):
        write(_texts(values))
    elif pa.types.is_timestamp(values.type):
        write(values.view(pa.int64()).to_numpy())
    else:
        write(values.fill_null(0).to_numpy())


def _name(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"Array({_name(kind.value_type)})"
    if pa.types.is_timestamp(kind):
        return f"DateTime64(3, '{kind.tz}')"
    return _NAMES[kind]


def _flags(values: pa.Array) -> Array:
    return values.to_numpy(zero_copy_only=False).view(np.uint8)  # type: ignore[no-any-return]


def _texts(values: pa.Array) -> memoryview:
    """Texts or bytes one after another, before each its length."""
    values = values.view(pa.binary())
    lengths = np.diff(_ends(values))
    if lengths.max(initial=0) < _ONE_BYTE:
        places = pa.py_buffer(np.arange(len(values) + 1, dtype=np.int32))
        numbers = pa.Array.from_buffers(
            pa.binary(), len(values), [None, places, pa.py_buffer(lengths.astype(np.uint8))]
        )
    else:
        first, codes = numbered(lengths.astype(np.int64))
        numbers = pa.array(map(_number, lengths[first].tolist()), pa.binary()).take(pa.array(codes))
    joined = pc.binary_join_element_wise(numbers, values, b"")
    return memoryview(joined.buffers()[2])[: _ends(joined)[-1]]


def _ends(values: pa.Array) -> Array:
    """Where in its bytes each value begins, and where the last one ends."""
    return np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]


def _text(text: str) -> bytes:
    value = text.encode()
    return _number(len(value)) + value


def _number(value: int) -> bytes:
    """LEB128."""
    digits = bytearray()
    while value >= _ONE_BYTE:
        digits.append(value % _ONE_BYTE + _ONE_BYTE)
        value //= _ONE_BYTE
    return bytes((*digits, value))
