"""A column of which most values repeat: a table of the values, and the place of each row's value in it."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from pipeline.core.slots import Index


class Coded(Sequence[Any]):
    """``values[codes[row]]`` is the value of a row."""

    def __init__(self, codes: Index, values: Sequence[Any]) -> None:
        self.codes = codes
        self.values = values

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return [self.values[code] for code in self.codes[row].tolist()]
        return self.values[self.codes[row]]

    def compact(self) -> "Coded":
        """The same column with a table of those values only that it uses."""
        used, codes = np.unique(self.codes, return_inverse=True)
        return Coded(codes, [self.values[code] for code in used.tolist()])


class Codes:
    """Gives each distinct value a number, from 0 on: the codes of a batch's column."""

    def __init__(self) -> None:
        self._code: dict[Any, int] = {}

    def of(self, values: Sequence[Any]) -> Coded:
        """The column, coded; the table is shared and grows."""
        code = self._code
        codes = [code.setdefault(value, len(code)) for value in values]
        return Coded(np.array(codes, np.int64), self.values)

    @property
    def values(self) -> list[Any]:
        """The values, each at the place that is its number."""
        return list(self._code)
