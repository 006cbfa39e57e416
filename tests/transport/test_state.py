"""State with a changelog: after any units of work and restarts it equals a dict; the changelog is bounded."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport import state
from pipeline.transport.log import Log
from pipeline.transport.state import StateStore


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "masir.db")
    yield opened
    opened.close()


@pytest.fixture
def no_slack() -> Iterator[None]:
    """A small store is cleaned like a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_SLACK", 0)
        yield


def commit(log: Log, store: StateStore) -> None:
    with log.transaction():
        store.write_changes()


def fail_to_commit(log: Log, store: StateStore) -> None:
    with suppress(RuntimeError), log.transaction():
        store.write_changes()
        raise RuntimeError


def changes(log: Log, partition: int = 0) -> int:
    return sum(len(of_entry) for _, of_entry in log.changes("s", partition))


def test_puts_and_deletes_are_seen_at_once_and_kept_by_a_commit(log: Log) -> None:
    store = StateStore(log, "s", 0)
    store["a"], store["b"] = b"1", b"2"
    del store["a"]
    assert dict(store) == {"b": b"2"}
    assert (store.get("a"), store.get("b"), len(store), "a" in store) == (None, b"2", 1, False)
    assert dict(StateStore(log, "s", 0)) == {}, "nothing is kept before the commit"
    commit(log, store)
    assert dict(StateStore(log, "s", 0)) == {"b": b"2"}


def test_partitions_and_stores_are_apart(log: Log) -> None:
    for name, partition, value in (("s", 0, b"0"), ("s", 1, b"1"), ("other", 0, b"2")):
        store = StateStore(log, name, partition)
        store["k"] = value
        commit(log, store)
    assert [dict(StateStore(log, "s", n)) for n in (0, 1, 2)] == [{"k": b"0"}, {"k": b"1"}, {}]


def test_deleting_what_is_not_there_is_an_error_and_pop_is_not(log: Log) -> None:
    store = StateStore(log, "s", 0)
    with pytest.raises(KeyError):
        del store["a"]
    assert store.pop("a", None) is None


def test_a_unit_without_changes_writes_nothing(log: Log) -> None:
    store = StateStore(log, "s", 0)
    commit(log, store)
    assert changes(log) == 0


def test_a_unit_that_fails_is_as_if_it_had_not_been(log: Log) -> None:
    store = StateStore(log, "s", 0)
    store["a"] = b"1"
    commit(log, store)
    store["a"] = b"2"
    fail_to_commit(log, store)
    assert dict(StateStore(log, "s", 0)) == {"a": b"1"}


_keys = st.sampled_from("abcdefgh")
_steps = st.lists(
    st.tuples(st.just("put"), _keys, st.sampled_from([b"1", b"2"]))
    | st.tuples(st.just("delete"), _keys, st.just(b""))
    | st.tuples(st.sampled_from(["commit", "commit", "restart", "fail"]), st.just(""), st.just(b"")),
    max_size=80,
)


@given(_steps)
@settings(deadline=None, max_examples=150)
@pytest.mark.usefixtures("no_slack")
def test_it_equals_a_dict_whatever_is_done_and_cleaning_loses_no_key(
    steps: list[tuple[str, str, bytes]],
) -> None:
    log = Log(Path(":memory:"))
    store, now, kept = StateStore(log, "s", 0), dict[str, bytes](), dict[str, bytes]()
    for what, key, value in steps:
        if what == "put":
            store[key] = now[key] = value
        elif what == "delete":
            assert store.pop(key, None) == now.pop(key, None)
        elif what == "commit":
            commit(log, store)
            kept = dict(now)
        else:
            if what == "fail":
                fail_to_commit(log, store)
            store, now = StateStore(log, "s", 0), dict(kept)
        assert dict(store) == now
    log.close()


@pytest.mark.usefixtures("no_slack")
def test_the_changelog_of_a_busy_key_stays_small(log: Log) -> None:
    store = StateStore(log, "s", 0)
    for n in range(10):
        store[f"quiet {n}"] = b"kept"
    for n in range(1_000):
        store["busy"] = b"%d" % n
        commit(log, store)
        assert changes(log) <= 2 * 11 + 1 + 10, "twice what lives, and what one unit adds"
    assert dict(StateStore(log, "s", 0)) == {f"quiet {n}": b"kept" for n in range(10)} | {"busy": b"999"}


@pytest.mark.usefixtures("no_slack")
def test_large_units_after_many_small_ones_do_not_outrun_the_cleaning(log: Log) -> None:
    store = StateStore(log, "s", 0)
    for n in range(1_000):
        store[f"{n}"] = b"0"
        commit(log, store)
    for n in range(20):
        for key in range(500):
            store[f"{key}"] = b"%d" % n
        commit(log, store)
    assert changes(log) <= 3 * len(store)
    assert dict(StateStore(log, "s", 0)) == {f"{k}": b"19" if k < 500 else b"0" for k in range(1_000)}


@pytest.mark.usefixtures("no_slack")
def test_keys_that_come_and_go_for_ever_leave_nothing_behind(log: Log) -> None:
    store = StateStore(log, "s", 0)
    for n in range(500):
        store[f"{n}"] = b"x"
        store.pop(f"{n - 3}", None)
        commit(log, store)
    assert len(store) == 3
    assert changes(log) <= 12


def test_a_small_store_is_left_alone(log: Log) -> None:
    store = StateStore(log, "s", 0)
    for n in range(100):
        store["k"] = b"%d" % n
        commit(log, store)
    assert changes(log) == 100
