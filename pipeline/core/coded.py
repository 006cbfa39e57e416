"""A column of which most values repeat: a table of the values, and the place of each row's value in it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, Final, overload

import numpy as np
from numpy.typing import DTypeLike

from pipeline.core.numbers import numbered, placed
from pipeline.core.slots import Array, Index, objects

_INT64_MAX: Final = 2**63 - 1


class Coded(Sequence[Any]):
    """``values[codes[row]]`` is the value of a row."""

    def __init__(self, codes: Index, values: Sequence[Any] | Array) -> None:
        self.codes = codes
        self.values: Any = values

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes.tolist())

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return [self.values[code] for code in self.codes[row].tolist()]
        return self.values[self.codes[row]]

    def at(self, rows: Index | Array) -> "Coded":
        """Some rows: their places, or which they are."""
        return Coded(self.codes[rows], self.values)

    def map(self, function: Callable[[Any], Any]) -> "Coded":
        """Each value by what the function makes of it, which is asked once for each."""
        return Coded(self.codes, [function(value) for value in self.values])

    def array(self, dtype: DTypeLike = object) -> Array:
        """The column as an array of this type."""
        values = objects(self.values) if dtype is object else np.array(self.values, dtype)
        return values[self.codes]

    def distinct(self) -> "Coded":
        """The same column with a table in which no value comes twice."""
        table = Codes().of(self.values)
        return Coded(table.codes[self.codes], table.values)

    def compact(self, *, keeping: int = 0) -> "Coded":
        """The same column with a table of those values only that it uses, and of so many at the table's beginning."""
        is_used = np.zeros(len(self.values), np.bool_)
        is_used[:keeping] = True
        is_used[self.codes] = True
        code = np.cumsum(is_used) - 1
        values = self.values
        used = values[is_used] if isinstance(values, np.ndarray) else list(compress(values, is_used.tolist()))
        return Coded(code[self.codes], used)


class Codes:
    """Gives each distinct value a number, from 0 on: the codes of a batch's column."""

    def __init__(self, first: Iterable[Any] = ()) -> None:
        """``first``: values that have a number from the beginning."""
        self._code: dict[Any, int] = {value: number for number, value in enumerate(first)}

    def of(self, values: Sequence[Any]) -> Coded:
        """The column, coded; the table is shared and grows."""
        code = self._code
        if values and values[0] in code and values.count(values[0]) == len(values):
            return Coded(np.full(len(values), code[values[0]], np.int64), self.values)
        return Coded(placed(list(values), code), self.values)

    @property
    def values(self) -> list[Any]:
        """The values, each at the place that is its number."""
        return list(self._code)


def combined(*columns: Coded) -> Coded:
    """The columns side by side: a code for each combination that there is, whose value is a tuple of their values."""
    packed, most = columns[0].codes, len(columns[0].values)
    for column in columns[1:]:
        if most * len(column.values) > _INT64_MAX:
            packed, most = numbered(packed)[1], len(packed)
        packed, most = packed * len(column.values) + column.codes, most * len(column.values)
    first, codes = numbered(packed)
    return Coded(codes, list(zip(*(column.at(first)[:] for column in columns), strict=True)))


def coded(codes: Index, values: Sequence[Any] | Array) -> Coded:
    """The column that has these of the values, which may be coded themselves."""
    return values.at(codes) if isinstance(values, Coded) else Coded(codes, values)


def rows_at(column: Sequence[Any] | Array, rows: Index) -> Any:
    """Some rows of a column of whatever kind."""
    if isinstance(column, Coded):
        return column.at(rows)
    if isinstance(column, np.ndarray):
        return column[rows]
    return [column[at] for at in rows.tolist()]
