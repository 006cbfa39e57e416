"""Rows of one partition's state by key: the ones in use in memory, and beyond a limit the others on disk.

In memory there are two generations. What is read or written goes to the young one; the old one empties to the shelf
(``pipeline.transport.shelf``) until both together are as many as allowed, and when it is empty the young one takes its
place. So a row leaves the memory when it has not been touched for about a generation, a few at a time, with no order to
keep. A row is in one place only. Before the limit is reached there is one dictionary and nothing else: ``get`` and
``put`` are its own.

The values of some stores begin with when there is something to do about the row (ms or nil, first in an array): these
times are on the shelf beside the rows, so :meth:`Rows.due` finds the rows without reading them.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.transport.shelf import Shelf

_TIMED: Final = frozenset(("persons", "silent_journeys"))  # stores whose values begin with when they are due
_UNUSED: Final = frozenset(("silent_journeys",))  # stores of what is too much for the memory


class Cold(NamedTuple):
    """Where rows go that are too many: ``most`` of a partition stay in memory."""

    directory: Path
    most: int


class _Due(Struct, array_like=True, gc=False):
    due: int | None


_decode_due = msgspec.msgpack.Decoder(_Due).decode


class Rows(MutableMapping[str, bytes]):
    """``cold``: None keeps all in memory. ``is_timed``: values begin with when they are due."""

    def __init__(self, cold: Cold | None = None, *, is_timed: bool = False) -> None:
        self._cold = cold
        self._is_timed = is_timed
        self._young: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}
        self._shelf: Shelf | None = None
        self._shelved = 0
        self._asked = set[str]()  # keys for which the shelf was asked in this unit: they are there no more
        self._taken: list[str] = []  # of these, those that were there
        self._use(self._young.get, self._young.__setitem__)

    def __getitem__(self, key: str) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        self.put(key, value)

    def __delitem__(self, key: str) -> None:
        if self.get(key) is None:
            raise KeyError(key)
        del self._young[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        """The keys there are now, wherever; the rows may be changed meanwhile."""
        keys = [*self._young, *self._old]
        if self._shelf is not None:
            keys += [key for key in self._shelf if key not in self._asked]
        return iter(keys)

    def __len__(self) -> int:
        return len(self._young) + len(self._old) + self._shelved

    def in_memory(self) -> Iterator[tuple[str, bytes]]:
        """Rows that are not on the shelf."""
        yield from self._young.items()
        yield from self._old.items()

    def peek(self, key: str) -> bytes | None:
        """What the row is, without using it."""
        value = self._young.get(key, self._old.get(key))
        if value is None and self._shelf is not None and key not in self._asked:
            value = self._shelf.get(key)
        return value

    def due(self, until: int) -> list[str]:
        """Keys of the rows on the shelf that are due by then; using them takes them off it."""
        if self._shelf is None or not self._shelved:
            return []
        return [key for key in self._shelf.due(until) if key not in self._asked]

    def settle(self) -> None:
        """End of a unit of work: what is too much goes to the shelf."""
        if self._cold is None:
            return
        excess = len(self._young) + len(self._old) - self._cold.most
        if self._shelf is None:
            if excess <= 0:
                return
            self._open()
        leaving = []
        for _ in range(excess):
            if not self._old:
                self._old, self._young = self._young, {}
            leaving.append(self._old.popitem())
        self._shelve(leaving, self._taken)
        self._shelved += len(leaving)
        self._asked.clear()
        self._taken = []

    def load(self, changes: Iterable[tuple[str, bytes | None]]) -> None:
        """Changes of a changelog, in its order; None deletes. :meth:`loaded` comes after the last."""
        latest = dict(changes)
        for key, value in latest.items():
            if value is None or self._shelf is not None:
                self._young.pop(key, None)
                self._old.pop(key, None)
            else:
                self._young[key] = value
        if self._shelf is None:
            self.settle()
        else:  # without looking whether it is there
            gone = [key for key, value in latest.items() if value is None]
            self._shelve([(key, value) for key, value in latest.items() if value is not None], gone)

    def loaded(self) -> None:
        """The changelog is read."""
        if self._shelf is not None:
            self._shelved = len(self._shelf)

    def close(self) -> None:
        """Nothing is asked of it any more."""
        if self._shelf is not None:
            self._shelf.close()

    def _open(self) -> None:
        assert self._cold is not None
        self._shelf = Shelf(self._cold.directory)
        self._use(self._find, self._put)

    def _use(self, get: Callable[..., bytes | None], put: Callable[[str, bytes], None]) -> None:
        # The abstract class's ``get`` goes through an exception for each key that is not there.
        self.get = get  # type: ignore[method-assign, assignment]
        self.put = put

    def _shelve(self, rows: Iterable[tuple[str, bytes]], gone: Sequence[str]) -> None:
        assert self._shelf is not None
        due = _due_of if self._is_timed else _never
        self._shelf.write([(key, value, due(value)) for key, value in rows], gone)

    def _find(self, key: str, default: bytes | None = None) -> bytes | None:
        value = self._young.get(key)
        if value is None:
            value = self._take(key)
            if value is None:
                return default
            self._young[key] = value
        return value

    def _put(self, key: str, value: bytes) -> None:
        if key not in self._young:
            self._take(key)
        self._young[key] = value

    def _take(self, key: str) -> bytes | None:
        """A row that is not young, out of where it is."""
        value = self._old.pop(key, None)
        if value is None and self._shelved and key not in self._asked:
            assert self._shelf is not None
            self._asked.add(key)
            value = self._shelf.get(key)
            if value is not None:
                self._taken.append(key)
                self._shelved -= 1
        return value


class ChangedRows(MutableMapping[str, bytes]):
    """Rows, and what of them the unit of work has changed: for a changelog. ``_settle`` comes before the first use."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changes: dict[str, bytes | None] = {}  # None: deleted

    def __getitem__(self, key: str) -> bytes:
        return self._rows[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._put(key, value)
        self._changes[key] = value

    def __delitem__(self, key: str) -> None:
        del self._rows[key]
        self._changes[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def in_memory(self) -> Iterator[tuple[str, bytes]]:
        """The rows that are not on disk."""
        return self._rows.in_memory()

    def due(self, until: int) -> list[str]:
        """Keys of rows on disk about which there is something to do by then."""
        return self._rows.due(until)

    def _settle(self) -> None:
        self._rows.settle()
        self.get, self._put = self._rows.get, self._rows.put  # type: ignore[method-assign]


def rows_of(store: str, cold: Cold | None) -> Rows:
    """Of one partition of a store."""
    if cold is not None and store in _UNUSED:
        cold = cold._replace(most=0)
    return Rows(cold, is_timed=store in _TIMED)


def _due_of(value: bytes) -> int | None:
    return _decode_due(value).due


def _never(value: bytes) -> None:
    assert value is not None
