"""Numbers for a column's distinct values; compiled (``numbering``) where that could be built, which gives the same."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


def numbered_by_sorting(values: Index) -> tuple[Index, Index]:
    """(places at which the distinct values come first, in order; for each value which of them it is)."""
    _, first, code = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return first[order], number[code]


def placed_by_each(values: list[Any], table: dict[Any, int]) -> Index:
    """Each value's place in the table, to which those that are new are added."""
    return np.array([table.setdefault(value, len(table)) for value in values], np.int64)


try:
    from pipeline.core import numbering
except ImportError:  # not compiled
    numbered, placed = numbered_by_sorting, placed_by_each
else:
    numbered, placed = numbering.numbered, numbering.placed


def ascending(values: Index) -> Index:
    """The distinct values, sorted."""
    found = np.sort(values)
    return found[np.concatenate(([True], found[1:] != found[:-1]))] if len(found) else found
