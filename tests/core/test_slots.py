"""Rows in columns: whatever was done, the entries that are still needed give the same rows; and not too many are."""

import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.slots import Slots

COLUMNS: dict[str, Any] = {
    "number": np.int64,
    "name": object,
    "id": "V4",
    "pair": (np.int32, (2,)),
    "seen": np.bool_,  # derived
}


class Table:
    """A table, its journal, and what a dictionary says it holds."""

    def __init__(self) -> None:
        self.slots = Slots(COLUMNS, derived=("seen",))
        self.rows: dict[int, tuple[Any, ...]] = {}
        self.journal: list[tuple[int, bytes]] = []
        self.number = 0

    def add(self, count: int, value: int) -> None:
        for slot in self.slots.take(count).tolist():
            assert self.slots["name"][slot] is None, "of the row that was there before"
            self._set(slot, value)

    def _set(self, slot: int, value: int) -> None:
        row = (value, f"name {value % 3}" if value % 5 else None, value.to_bytes(4), (value, -value))
        for name, one in zip(("number", "name", "id", "pair"), row, strict=True):
            self.slots[name][slot] = one
        self.rows[slot] = row

    def change(self, slot: int, value: int) -> None:
        self._set(slot, value)
        self.slots.touch(np.array([slot]))

    def free(self, slots: list[int]) -> None:
        self.slots.free(np.array(slots, np.int64))
        for slot in slots:
            del self.rows[slot]

    def commit(self) -> None:
        entry, needed = self.slots.changes(self.number)
        self.journal = [one for one in self.journal if one[0] >= needed]
        self.journal.append((self.number, entry))
        self.number += 1

    def restart(self) -> None:
        self.slots = Slots(COLUMNS, derived=("seen",))
        self.slots.restore(self.journal)

    def held(self) -> dict[int, tuple[Any, ...]]:
        live = self.slots.live()
        columns = [self.slots[name][live].tolist() for name in ("number", "name", "id", "pair")]
        return {
            slot: (number, name, an_id, tuple(pair))
            for slot, number, name, an_id, pair in zip(live.tolist(), *columns, strict=True)
        }


@given(st.randoms(use_true_random=False), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_what_is_restored_is_what_was_there(dice: random.Random, units: int) -> None:
    table = Table()
    for value in range(units):
        for _ in range(dice.randint(0, 3)):
            table.add(dice.randint(0, 6), dice.randint(0, 99))
            for slot in dice.sample(sorted(table.rows), min(len(table.rows), dice.randint(0, 3))):
                table.change(slot, value)
            table.free(dice.sample(sorted(table.rows), min(len(table.rows), dice.randint(0, 4))))
        table.commit()
        assert table.held() == table.rows
        assert len(table.slots) == len(table.rows)
        if dice.random() < 0.4:
            table.restart()
            assert table.held() == table.rows
            assert len(table.slots) == len(table.rows)


def test_the_journal_stays_within_a_few_times_what_lives() -> None:
    table = Table()
    table.add(3_000, 7)
    table.commit()
    first = len(table.journal[0][1])
    for value in range(2_000):
        table.change(value % 50, value)
        table.change(1_000 + value % 50, value)
        table.commit()
    assert sum(len(entry) for _, entry in table.journal) < 6 * first
    assert table.journal[0][0] > 0, "the first entry is not needed for ever"
    table.restart()
    assert table.held() == table.rows


def test_a_slot_that_is_free_is_used_again_and_holds_no_text() -> None:
    table = Table()
    table.add(3, 1)
    table.free([1])
    assert table.slots["name"].tolist() == ["name 1", None, "name 1"]
    assert table.slots.take(2).tolist() == [1, 3]


def test_rows_of_no_change_are_not_written_twice_and_nothing_is_no_change() -> None:
    table = Table()
    assert not table.slots.has_changes
    table.add(2, 1)
    assert table.slots.has_changes
    table.commit()
    assert not table.slots.has_changes
