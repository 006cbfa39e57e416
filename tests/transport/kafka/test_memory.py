"""What a hop remembers, in the two forms of topics: what is written, and what is read back of it."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.kafka import memory
from pipeline.transport.kafka.memory import PART_BYTES, KafkaJournal, KafkaState, Records


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


def stored(records: Records, begin: int = 0) -> list[Record]:
    return [Record(begin + n, key or b"", value) for n, (key, value) in enumerate(records)]


def test_only_what_was_handed_in_travels() -> None:
    """A unit under way has changed the state already; the transaction of those before it must not take that along."""
    state = KafkaState("t")
    state["a"] = b"1"
    state.stage()
    state["a"] = b"2"
    state["b"] = b"3"
    assert state.take_records() == [(b"a", b"1")]
    state.stage()
    assert state.take_records() == [(b"a", b"2"), (b"b", b"3")]
    state.stage()
    assert state.take_records() == []


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=3)), max_size=4), max_size=6
    )
)
def test_state_is_read_back_as_it_was(units: list[list[tuple[str, bytes | None]]]) -> None:
    state, written = KafkaState("t"), []
    for number, unit in enumerate(units):
        for key, value in unit:
            if value is not None:
                state[key] = value
            elif key in state:
                del state[key]
        state.stage()
        if number % 2:  # several units share a transaction
            written += state.take_records()
    written += state.take_records()
    assert dict(KafkaState("t", stored(written))) == dict(state)


def test_a_journal_goes_on_where_it_was() -> None:
    journal = KafkaJournal("t")
    for entry in (b"zero", b"one", b"two"):
        journal.add(entry, needed=0)
        journal.stage()
    restored = KafkaJournal("t", stored(journal.take_records()))
    assert restored.next == 3
    assert list(restored.entries()) == [(0, b"zero"), (1, b"one"), (2, b"two")]
    assert list(restored.entries()) == [], "they are not kept in memory"


def test_entries_that_are_needed_no_more_are_left_out_though_they_are_still_there() -> None:
    journal = KafkaJournal("t")
    for number, needed in enumerate((0, 0, 1, 2)):
        journal.add(b"%d" % number, needed=needed)
        journal.stage()
    restored = KafkaJournal("t", stored(journal.take_records()))
    assert [number for number, _ in restored.entries()] == [2, 3]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_an_entry_of_any_size(size: int) -> None:
    journal, entry = KafkaJournal("t"), bytes(size)
    journal.add(entry, needed=0)
    journal.stage()
    records = journal.take_records()
    assert len(records) == max(1, -(-size // PART_BYTES))
    assert list(KafkaJournal("t", stored(records)).entries()) == [(0, entry)]


def test_an_entry_whose_first_parts_are_deleted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PART_BYTES", 2)
    journal = KafkaJournal("t")
    journal.add(b"abc", needed=0)
    journal.stage()
    journal.add(b"d", needed=1)
    journal.stage()
    records = stored(journal.take_records())
    assert list(KafkaJournal("t", records[1:]).entries()) == [(1, b"d")]


def test_nothing_is_deleted_that_the_last_committed_entry_needs() -> None:
    journal = KafkaJournal("t")
    for number, offset in ((0, 10), (1, 20), (2, 30)):
        journal.add(b"x", needed=0)
        journal.stage()
        assert journal.take_records()
        journal.written(offset)
        assert journal.take_deletable() is None, number
    journal.add(b"x", needed=2)
    journal.stage()
    assert journal.take_deletable() is None, "not committed yet"
    journal.take_records()
    assert journal.take_deletable() is None, "under way"
    journal.add(b"x", needed=3)
    journal.stage()
    journal.written(40)
    assert journal.take_deletable() == 30
    assert journal.take_deletable() is None, (
        "said once; and what a later unit needs no more, it may still need"
    )


def test_a_unit_without_an_entry_writes_none() -> None:
    journal = KafkaJournal("t")
    journal.add(None, needed=0)
    journal.stage()
    assert journal.take_records() == []
    assert journal.next == 0
