"""Rows of state, in memory and on disk: at any limit the same as a dict, and the memory holds no more than it may."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport.kafka.memory import KafkaState
from pipeline.transport.log import Log
from pipeline.transport.rows import Cold, Rows
from pipeline.transport.state import StateStore


def row(due: int | None, text: str = "") -> bytes:
    return msgspec.msgpack.encode([due, text])


def small(directory: Path, most: int = 2) -> Rows:
    return Rows(Cold(directory, most), is_timed=True)


def in_memory(rows: Rows) -> set[str]:
    return {key for key, _ in rows.in_memory()}


_keys = st.sampled_from(["a", "b", "c", "d\x1fe", "\x00", "و", "1", "2"])
_steps = st.lists(
    st.tuples(st.sampled_from(["put", "get", "delete", "in", "load", "unload"]), _keys, st.binary(max_size=2))
    | st.tuples(st.sampled_from(["settle", "look"]), st.just(""), st.just(b"")),
    max_size=60,
)


@given(_steps, st.integers(0, 6))
@settings(deadline=None, max_examples=150)
def test_at_any_limit_they_equal_a_dict(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]], most: int
) -> None:
    rows, known = Rows(Cold(tmp_path_factory.getbasetemp(), most)), dict[str, bytes]()
    for what, key, value in steps:
        if what == "put":
            rows[key] = known[key] = value
        elif what == "get":
            assert rows.get(key) == known.get(key)
        elif what == "in":
            assert (key in rows) == (key in known)
        elif what == "delete":
            assert rows.pop(key, None) == known.pop(key, None)
        elif what == "settle":
            rows.settle()
            assert len(in_memory(rows)) <= most
        elif what == "look":
            assert {name: rows.peek(name) for name in known} == known
            assert rows.peek("no such key") is None
        else:  # a changelog is read at the start of a unit
            rows.settle()
            rows.load([(key, None if what == "unload" else value)])
            rows.loaded()
            known = {name: one for name, one in known.items() if name != key}
            known |= {key: value} if what == "load" else {}
        assert len(rows) == len(known)
        assert set(rows) == known.keys()
    assert dict(rows) == known


def test_up_to_the_limit_nothing_is_on_disk_and_one_more_is(tmp_path: Path) -> None:
    rows = small(tmp_path)
    rows["a"] = rows["b"] = row(None)
    rows.settle()
    assert in_memory(rows) == {"a", "b"}
    assert rows.get.__self__ is rows._young, "the dictionary's own"  # type: ignore[attr-defined]
    rows["c"] = row(None)
    rows.settle()
    assert len(in_memory(rows)) == 2
    assert set(rows) == {"a", "b", "c"}


def test_what_is_used_stays_in_memory(tmp_path: Path) -> None:
    rows = small(tmp_path, 4)
    for number in range(200):
        rows[f"{number}"] = row(None)
        rows["busy"] = row(number)
        rows.settle()
        assert "busy" in in_memory(rows)
    assert len(rows) == 201


def test_rows_on_disk_are_found_when_they_are_due_and_not_before(tmp_path: Path) -> None:
    rows = small(tmp_path, 0)
    rows.update({"late": row(20), "soon": row(10), "never": row(None)})
    assert rows.due(1_000) == [], "those in memory are the caller's affair"
    rows.settle()
    assert (rows.due(9), rows.due(10), rows.due(20)) == ([], ["soon"], ["soon", "late"])
    rows["soon"] = row(30)
    assert rows.due(20) == ["late"], "it is in use"
    rows.settle()
    assert (rows.due(29), rows.due(30)) == (["late"], ["late", "soon"])
    del rows["late"]
    rows.settle()
    assert rows.due(1_000) == ["soon"]


def test_the_file_is_nobody_elses_and_goes_with_the_rows(tmp_path: Path) -> None:
    rows = small(tmp_path, 0)
    rows["a"] = row(None)
    rows.settle()
    assert list(tmp_path.iterdir()) == []
    rows.close()
    with pytest.raises(sqlite3.ProgrammingError):
        rows.get("a")


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows = small(tmp_path / "file", 0)
    rows["a"] = row(None)
    with pytest.raises(FileExistsError):
        rows.settle()


def test_a_store_beyond_the_limit_is_restored_from_its_changelog(tmp_path: Path) -> None:
    log, cold = Log(tmp_path / "masir.db"), Cold(tmp_path, 3)
    store = StateStore(log, "persons", 0, cold)
    for number in range(20):
        store[f"{number}"] = row(number)
        store.pop(f"{number - 15}", None)
        with log.transaction():
            store.write_changes()
    again = StateStore(log, "persons", 0, cold)
    assert len(dict(store.in_memory())) == 3 >= len(dict(again.in_memory()))
    assert len(again) == len(store) == 15
    known = {*again.due(100), *dict(again.in_memory())}
    assert known == set(again) == {f"{number}" for number in range(5, 20)}
    log.close()


class Record(msgspec.Struct):
    key: bytes
    value: bytes | None


def test_a_topic_is_taken_up_without_all_of_it_in_memory(tmp_path: Path) -> None:
    state = KafkaState("t", rows=small(tmp_path, 5))
    for begin in range(0, 100, 10):
        state.take_up([Record(b"%d" % (number % 40), row(number)) for number in range(begin, begin + 10)])
        assert len(dict(state.in_memory())) <= 5
    state.take_up([Record(b"7", None)])
    state.taken_up()
    expected = {f"{number % 40}": row(number) for number in range(60, 100) if number % 40 != 7}
    assert len(state) == 39
    assert dict(state) == expected
