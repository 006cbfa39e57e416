"""Rows of state as columns: a row's number is its slot, each column is one array.

A batch then reads and changes thousands of rows with a few array operations, and a row costs the bytes of its values.
``Slots[name]`` is the column; do not keep it: it moves when the table grows. Texts are object columns.

The rows are also a rolling checkpoint. :meth:`changes` gives what a unit of work changed, and with it as many other
rows, in turn. When it has gone round once, everything before the round is no longer needed to restore: so a journal of
these entries stays within about four times what lives, with no pause to compact it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Index = NDArray[np.int64]

_FIRST_SIZE: Final = 1_024
_encode = msgspec.msgpack.Encoder().encode


class _Entry(Struct, array_like=True):
    """``written`` and ``freed``: slots as int64 bytes. ``columns``: raw bytes of an array, or a list."""

    written: bytes
    freed: bytes
    columns: dict[str, Any]


_decode = msgspec.msgpack.Decoder(_Entry).decode


class Slots:
    """``columns``: name -> dtype. ``derived``: columns that are not stored, since they follow from the others."""

    def __init__(self, columns: Mapping[str, DTypeLike], *, derived: Iterable[str] = ()) -> None:
        types = {**columns, "live": np.bool_}
        self._columns = {name: np.zeros(_FIRST_SIZE, dtype) for name, dtype in types.items()}
        self._derived = frozenset((*derived, "live"))
        self._free: list[int] = []
        self._top = 0
        self._written: list[Index] = []
        self._freed: list[Index] = []
        self._next = 0  # where the round goes on
        self._round_began = 0  # number of the entry in which it began
        self._needed = 0  # number of the first entry that is needed to restore

    def __getitem__(self, name: str) -> Array:
        return self._columns[name][: self._top]

    def __len__(self) -> int:
        return self._top - len(self._free)

    def take(self, count: int) -> Index:
        """So many slots for new rows; what their columns hold is anything."""
        used = min(count, len(self._free))
        old = [self._free.pop() for _ in range(used)]
        fresh = count - used
        slots = np.array([*old, *range(self._top, self._top + fresh)], dtype=np.int64)
        self._reach(self._top + fresh)
        self._columns["live"][slots] = True
        self.touch(slots)
        return slots

    def free(self, slots: Index) -> None:
        """The rows are no more."""
        for name, column in self._columns.items():
            if column.dtype == object:
                column[slots] = None
            elif name == "live":
                column[slots] = False
        self._free += slots.tolist()
        self._freed.append(slots)

    def touch(self, slots: Index) -> None:
        """The rows were changed, and are to be stored."""
        self._written.append(slots)

    def live(self) -> Index:
        """All rows there are."""
        return np.flatnonzero(self["live"])

    @property
    def has_changes(self) -> bool:
        """Whether :meth:`changes` has anything to say."""
        return bool(self._written or self._freed)

    def changes(self, number: int) -> tuple[bytes, int]:
        """What changed since the last call, as an entry that gets this number; and the first number still needed."""
        is_live = self._columns["live"]
        written = np.unique(np.concatenate([*self._written, np.empty(0, np.int64)]))
        until = min(self._next + max(len(written), 1), self._top)
        written = np.union1d(written, np.arange(self._next, until))
        written = written[is_live[written]]
        freed = np.unique(np.concatenate([*self._freed, np.empty(0, np.int64)]))
        freed = freed[~is_live[freed]]
        self._next = until
        if until == self._top:
            self._needed, self._round_began, self._next = self._round_began, number + 1, 0
        columns = {
            name: _packed(column[written])
            for name, column in self._columns.items()
            if name not in self._derived
        }
        self._written, self._freed = [], []
        return _encode(_Entry(written.tobytes(), freed.tobytes(), columns)), self._needed

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up (number, entry) again, oldest first. The derived columns are the caller's affair."""
        first, last = None, -1
        for last, entry in entries:
            self._apply(_decode(entry))
            first = last if first is None else first
        self._free = np.flatnonzero(~self["live"]).tolist()
        # The next round must go over all rows before any of these entries may go.
        self._next, self._round_began, self._needed = 0, last + 1, first or 0
        self._written, self._freed = [], []

    def _apply(self, entry: _Entry) -> None:
        written = np.frombuffer(entry.written, np.int64)
        freed = np.frombuffer(entry.freed, np.int64)
        top = int(max(written.max(initial=-1), freed.max(initial=-1))) + 1
        self._reach(max(top, self._top))
        for name, packed in entry.columns.items():
            column = self._columns[name]
            column[written] = _unpacked(packed, column.dtype)
        self._columns["live"][freed] = False
        self._columns["live"][written] = True

    def _reach(self, top: int) -> None:
        while top > len(self._columns["live"]):
            self._columns = {
                name: np.concatenate((column, np.zeros_like(column)))
                for name, column in self._columns.items()
            }
        self._top = top


def _packed(values: Array) -> bytes | list[Any]:
    return values.tolist() if values.dtype == object else values.tobytes()


def _unpacked(packed: bytes | Sequence[Any], dtype: np.dtype[Any]) -> Array:
    if isinstance(packed, bytes):
        return np.frombuffer(packed, dtype)
    values = np.empty(len(packed), object)
    values[:] = packed
    return values
