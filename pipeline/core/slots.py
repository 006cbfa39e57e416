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

from pipeline.core.numbers import Index as Index
from pipeline.core.numbers import ascending, placed

Array = NDArray[Any]

_FIRST_SIZE: Final = 1_024
_encode = msgspec.msgpack.Encoder().encode


class _Entry(Struct, array_like=True):
    """``written`` and ``freed``: slots as int64 bytes. ``columns``: as :func:`_packed` gives them."""

    written: bytes
    freed: bytes
    columns: dict[str, Any]


_decode = msgspec.msgpack.Decoder(_Entry).decode


class Slots:
    """``columns``: name -> dtype, which may have a shape. ``derived``: those that are not stored, since they follow
    from the others. Objects are texts, tuples, bytes or None; equal ones are stored once in an entry.
    """

    def __init__(self, columns: Mapping[str, DTypeLike], *, derived: Iterable[str] = ()) -> None:
        types = {**columns, "live": np.bool_}
        self._columns = {name: _blank(_FIRST_SIZE, dtype) for name, dtype in types.items()}
        self._derived = frozenset((*derived, "live"))
        self._free: list[int] = []
        self._top = 0
        self._written: list[Index] = []
        self._freed: list[Index] = []
        self._next = 0  # where the round goes on
        self._round_began = 0  # number of the entry in which it began
        self._needed = 0  # number of the first entry that is needed to restore
        self._known: dict[Any, Any] = {}  # while entries are taken up: equal objects are kept once
        self._is_whole = False  # the next entry holds all rows

    def __getitem__(self, name: str) -> Array:
        return self._columns[name][: self._top]

    def __len__(self) -> int:
        return self._top - len(self._free)

    def take(self, count: int) -> Index:
        """So many slots for new rows; objects are None, and what other columns hold is anything."""
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

    @property
    def touched(self) -> Index:
        """Rows that were changed since :meth:`changes`; one may be there several times."""
        return np.concatenate([*self._written, np.empty(0, np.int64)])

    def write_all(self) -> None:
        """The next entry holds all rows, and none before it is needed: nothing of what was freed is left."""
        self._is_whole = True
        self.touch(self.live())

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
        written = ascending(self.touched)
        until = min(self._next + max(len(written), 1), self._top)
        written = ascending(np.concatenate((written, np.arange(self._next, until))))
        written = written[is_live[written]]
        freed = ascending(np.concatenate([*self._freed, np.empty(0, np.int64)]))
        freed = freed[~is_live[freed]]
        self._next = until
        if until == self._top:
            self._needed, self._round_began, self._next = self._round_began, number + 1, 0
        if self._is_whole:
            self._needed, self._round_began, self._next = number, number + 1, 0
            self._is_whole = False
        columns = {
            name: _packed(column[written])
            for name, column in self._columns.items()
            if name not in self._derived
        }
        self._written, self._freed = [], []
        return _encode(_Entry(written.tobytes(), freed.tobytes(), columns)), self._needed

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Take up (number, entry) again, oldest first. The derived columns are the caller's affair."""
        for number, entry in entries:
            self.take_up(number, entry)
        self.taken_up()

    def take_up(self, number: int, entry: bytes) -> None:
        """The next entry of a journal; :meth:`taken_up` comes after the last."""
        found = _decode(entry)
        if not self._top:
            self._needed = number
        # The next round must go over all rows before any of these entries may go.
        self._round_began = number + 1
        written, freed = np.frombuffer(found.written, np.int64), np.frombuffer(found.freed, np.int64)
        top = int(max(written.max(initial=-1), freed.max(initial=-1))) + 1
        self._reach(max(top, self._top))
        for name, column in self._columns.items():
            if name in found.columns:
                column[written] = _unpacked(found.columns[name], column, self._known)
            elif column.dtype == object and name not in self._derived:
                column[written] = None  # a column that was not kept then
        self._columns["live"][freed] = False
        self._columns["live"][written] = True

    def taken_up(self) -> None:
        """All entries were taken up."""
        free = np.flatnonzero(~self["live"])
        for column in self._columns.values():
            if column.dtype == object:
                column[free] = None  # as :meth:`free` does
        self._free = free.tolist()
        self._known = {}

    def _reach(self, top: int) -> None:
        size = len(self._columns["live"])
        if top > size:
            more = max(top, size * 5 // 4) - size  # a quarter: what is not used yet is memory, too
            for name, column in self._columns.items():
                dtype = (column.dtype, column.shape[1:])
                self._columns[name] = np.concatenate((column, _blank(more, dtype)))
        self._top = top


def objects(values: Sequence[Any]) -> Array:
    """A column of objects, tuples too."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _blank(size: int, dtype: DTypeLike) -> Array:
    column = np.zeros(size, dtype)
    if column.dtype == object:
        column[:] = None
    return column


def _packed(values: Array) -> bytes | tuple[list[Any], bytes]:
    """Objects as (distinct ones, each row's place among them)."""
    if values.dtype != object:
        return values.tobytes()
    code: dict[Any, int] = {}
    places = placed(values.tolist(), code)
    return list(code), places.astype(np.int32).tobytes()


def _unpacked(packed: bytes | list[Any], column: Array, known: dict[Any, Any]) -> Array:
    """``known``: objects that other rows have already, so that equal ones are kept once."""
    if isinstance(packed, bytes):
        return np.frombuffer(packed, column.dtype).reshape(-1, *column.shape[1:])
    distinct, places = packed
    values = np.empty(len(distinct), object)
    for at, value in enumerate(distinct):
        one = _hashable(value)
        values[at] = known.setdefault(one, one)
    return values[np.frombuffer(places, np.int32)]


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
