"""CSV and TSV -> hits as JSON bytes, by a mapping. One row, one hit, in the file's order.

A row that cannot be turned into a hit (wrong number of columns, broken quotes, not UTF-8) is given out with
the fault before its bytes, so that it ends as a dead letter that says why. A time or number that is none is
given out as text: the judge names the field. Of a quoted field that never closes only the first line is given
up; the lines after it are read again. An empty column is an absent field. Blank lines are no rows. Errors:
:class:`SourceError` for columns that the header does not have.
"""

import csv
import math
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import orjson

from pipeline.sources.errors import SourceError
from pipeline.sources.lines import MAX_LINE_BYTES
from pipeline.sources.mapping import NUMBERS, TIMES, Column, Mapping, nested, split_field
from pipeline.sources.times import time_converter

_MOST = 2**63 - 1  # larger numbers have no place in JSON as it is written and read here
DELIMITERS = "\t,;|"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Row = list[str]
Cell = Callable[[Row], object]  # the field's value in a row; None when the row has none


def read_table(path: str, lines: Iterator[bytes], mapping: Mapping) -> Iterator[bytes]:
    """Hits of the rows in ``lines``; the first line is the header unless the mapping names the columns."""
    first = next((line for line in lines if not line.isspace()), b"")
    if not first:
        return
    head = first.decode("utf-8", "replace")
    delimiter = mapping.delimiter or max(DELIMITERS, key=head.count)
    quote = mapping.quote if mapping.quote is not None else "" if delimiter == "\t" else '"'
    if mapping.header:
        header, lines = list(mapping.header), chain((first,), lines)
    else:
        header = _header(path, head, delimiter, quote)
    cells = _cells(path, mapping, header)
    fixed = nested(mapping.constants)
    for row, raw in split_rows(lines, delimiter, quote):
        if row is None:
            yield b"row with broken quotes, or not UTF-8: " + raw
        elif len(row) != len(header):
            yield b"row of %d columns, not %d: %b" % (len(row), len(header), raw)
        else:
            yield _hit(row, cells, fixed)


class _Lines:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines, self._again = lines, deque[bytes]()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._again.popleft() if self._again else next(self._lines)

    def give_back(self, lines: list[bytes]) -> None:
        self._again.extendleft(reversed(lines))


def split_rows(source: Iterator[bytes], delimiter: str, quote: str) -> Iterator[tuple[Row | None, bytes]]:
    """Each row with its (first) line; None for a row that cannot be read."""
    lines = _Lines(source)
    mark = quote.encode()
    for line in lines:
        if not line or line.isspace():
            continue
        row: Row | None = None
        try:
            text = line.decode()
            row = _parse(text, delimiter, quote) if quote and mark in line else text.split(delimiter)
        except UnicodeDecodeError:
            pass
        except _OpenQuoteError:
            row = _long_row(line, lines, delimiter, quote)
        yield row, line


class _OpenQuoteError(Exception):
    """A quoted field goes on in the next line."""


def _parse(text: str, delimiter: str, quote: str) -> Row | None:
    try:
        return next(csv.reader((text,), delimiter=delimiter, quotechar=quote, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise _OpenQuoteError from error
        return None


def _long_row(line: bytes, lines: _Lines, delimiter: str, quote: str) -> Row | None:
    """The row that begins with ``line``; when there is none, the lines that were looked at are given back."""
    mark = quote.encode()
    taken, size = [line], len(line)
    for more in lines:
        taken.append(more)
        size += len(more) + 1
        if size > MAX_LINE_BYTES:
            break
        if mark not in more:
            continue
        try:
            row = _parse(b"\n".join(taken).decode(), delimiter, quote)
        except _OpenQuoteError:
            continue
        except UnicodeDecodeError:
            break
        if row is None:
            break
        return row
    lines.give_back(taken[1:])
    return None


def _cells(path: str, mapping: Mapping, header: Row) -> list[tuple[str, str, Cell]]:
    """(parent or "", key, cell) of each mapped field."""
    places = {name.strip(): place for place, name in enumerate(header)}

    def place_of(name: str) -> int:
        if name not in places:
            message = f"no column '{name}'; there are: {', '.join(places)}"
            raise SourceError(message, path, 0 if mapping.header else 1)
        return places[name]

    return [
        (*split_field(field), _cell(field, column, mapping.values.get(field, {}), place_of))
        for field, column in mapping.columns.items()
    ]


def _cell(field: str, column: Column, values: dict[str, str], place_of: Callable[[str], int]) -> Cell:
    if "{" in column.source:
        texts = _PLACEHOLDER.split(column.source)  # text, name, text, name, ... text
        places = [place_of(name) for name in texts[1::2]]
        form = "%s".join(text.replace("%", "%%") for text in texts[0::2])
        return lambda row: form % tuple([row[place] for place in places])
    place = place_of(column.source)
    if field in TIMES:
        return _converted(place, time_converter(column.unit))
    if field in NUMBERS:
        return _converted(place, finite)
    if values:
        return lambda row: values.get(row[place], row[place]) or None
    return lambda row: row[place] or None


def _converted(place: int, convert: Callable[[str], object]) -> Cell:
    def cell(row: Row) -> object:
        text = row[place]
        if not text:
            return None
        try:
            value = convert(text)
        except (ValueError, ArithmeticError):
            return text  # the judge says which field it is and what is wrong
        return text if isinstance(value, int) and value > _MOST else value

    return cell


def finite(text: str) -> float:
    """The number in ``text``; ValueError for none, and for those that JSON has no name for."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"not a number: {text!r}")
    return number


def _header(path: str, text: str, delimiter: str, quote: str) -> Row:
    row = None
    with suppress(_OpenQuoteError):
        row = _parse(text, delimiter, quote) if quote else text.split(delimiter)
    if row is None:
        raise SourceError("the header cannot be read: its quotes are broken", path, 1)
    return row


def _hit(row: Row, cells: list[tuple[str, str, Cell]], constants: dict[str, Any]) -> bytes:
    hit = dict(constants)
    for parent, key, cell in cells:
        value = cell(row)
        if value is None:
            continue
        if parent:
            hit[parent] = {**hit.get(parent, {}), key: value}
        else:
            hit[key] = value
    return orjson.dumps(hit)
