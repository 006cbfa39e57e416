"""What was said of the stages beside what ought to be: what holds, what differs, and the counts that follow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipeline.core.ids import partition_of
from pipeline.store import history
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from schemas.rows import TRANSITION_ROWS

from .kit import DAY_0, hit, hit_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def step(ordinal: int, before: str, after: str, kind: str = "advance", **fields: Any) -> dict[str, Any]:
    """Of Ann in model ``m``, a minute and a half after the one before."""
    known = dict.fromkeys(TRANSITION_ROWS.names, "") | {
        "site": "s", "person_id": "ann", "model": "m", "from_stage": before, "to_stage": after, "kind": kind,
        "time": NOON + timedelta(seconds=90 * ordinal), "ordinal": ordinal, "dwell_ms": 0, "withdrawn": False,
        "version": 1,
    }  # fmt: skip
    return known | fields


def table(*steps: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(steps), TRANSITION_ROWS)


def said(*steps: dict[str, Any]) -> pa.Table:
    return table(*steps).select(history.SAID)


def test_of_rows_with_one_key_the_last_holds_and_a_withdrawn_one_is_none() -> None:
    rows = table(
        step(0, "", "one", "enter"),
        step(1, "one", "two"),
        step(2, "two", "three"),
        step(1, "one", "three", version=2),
        step(2, "two", "three", withdrawn=True, version=2),
    )
    held = history.newest(rows).sort_by("ordinal").to_pylist()
    assert [(row["ordinal"], row["to_stage"]) for row in held] == [(0, "one"), (1, "three")]


def test_what_is_the_same_is_left_alone_what_is_another_replaces_it_and_what_is_no_more_is_withdrawn() -> (
    None
):
    before = said(step(0, "", "one", "enter"), step(1, "one", "two"), step(2, "two", "", "lapse"))
    after = said(step(0, "", "one", "enter"), step(1, "one", "three"))
    found = history.difference(before, after)
    rows = {
        (row["ordinal"], row["to_stage"], row["withdrawn"], row["version"])
        for row in found.rows(7).to_pylist()
    }
    assert rows == {(1, "three", False, 7), (2, "", True, 7)}
    assert found.rows(7).schema == TRANSITION_ROWS
    assert dict(history.changes(found)) == {
        ("s", "m", "one", "two"): -1,
        ("s", "m", "two", ""): -1,
        ("s", "m", "one", "three"): 1,
    }
    minutes = [int(NOON.timestamp() * 1000) + 60_000 * minute for minute in (1, 3)]
    assert dict(history.stays(found)) == {("s", "m", "two", minutes[1], True): -1}, "one was left in both"


def test_who_moved_back_is_told_in_the_watched_models_only() -> None:
    before = said(step(1, "two", "one", "regress"), step(1, "two", "one", "regress", model="other"))
    found = history.difference(before, said())
    at = int((NOON + timedelta(seconds=90)).timestamp() * 1000)
    assert list(history.regressions(found, ["m"])) == [(("s", "ann", "m", at), -1)]


def test_nothing_differs_from_itself() -> None:
    rows = said(step(0, "", "one", "enter"), step(1, "one", "two"))
    found = history.difference(rows, rows)
    assert [part.num_rows for part in found] == [0, 0, 0]
    assert found.rows(1).num_rows == 0
    assert not dict(history.changes(found))


@pytest.mark.parametrize("size", [1, 2, 50_000])
def test_stored_hits_before_the_cut_come_once_in_the_order_of_each_sites_time(
    client: Client, sink: Sink, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(history, "SLICE_HITS", size)
    place = {"source_partition": 1, "source_offset": 7}
    hits = [
        hit(90_000, "c", source_offset=1),
        hit(1, "a", site="blog", source_offset=2, outcome="late", score=3.0, props="{}"),
        hit(60_000 * 60 * 24 * 40, "d", source_offset=3, outcome="background", session_id="ab" * 16),
        hit(30_000, "b", **place),
        hit(5, "bot", source_offset=4, outcome="bot"),
        hit(6, "after the cut", source_offset=5),
        hit(7, "after the other cut", source_partition=1, source_offset=8),
    ]
    sink.insert("hits", hit_table(hits), "1")
    sink.insert("hits", hit_table([hits[0], hits[3]]), "again, after a crash")
    slices = list(history.stored_hits(client, [5, 8]))
    found = [
        row for some in slices for row in zip(some["site"], some["visitor_id"], some["time"], strict=True)
    ]
    assert found == [
        ("blog", "a", DAY_0 + 1),
        ("shop", "b", DAY_0 + 30_000),
        ("shop", "c", DAY_0 + 90_000),
        ("shop", "d", DAY_0 + 3_456_000_000),
    ]
    last = {name: values[-1] for name, values in slices[-1].items()}
    assert (last["session_id"], last["score"], last["props"], last["goal"]) == ("ab" * 16, None, "", 0)


def test_each_person_is_in_one_share_by_the_partition_that_keys_have(client: Client, sink: Sink) -> None:
    ids = ["ann", "بهرام", "b\x1fc", "😀", "x" * 300, "0"]
    hits = [hit(at, one, source_offset=at) for at, one in enumerate(ids)]
    hits += [
        hit(50 + at, f"v{at}", user_id=one, site="blog", source_offset=50 + at) for at, one in enumerate(ids)
    ]
    sink.insert("hits", hit_table(hits), "1")
    sink.insert("transitions", table(*(step(0, "", "one", "enter", person_id=one) for one in ids)), "2")
    seen, told = [], []
    for share in (history.Share(partition, 3) for partition in range(3)):
        for some in history.stored_hits(client, [1_000], share):
            for site, user, visitor in zip(some["site"], some["user_id"], some["visitor_id"], strict=True):
                assert partition_of(f"{site}\x1f{user or visitor}", 3) == share.partition
                seen.append((site, user, visitor))
        for row in history.said_transitions(client, share).to_pylist():
            assert partition_of(f"s\x1f{row['person_id']}", 3) == share.partition
            told.append(row["person_id"])
    assert len(seen) == len(set(seen)) == len(hits)
    assert sorted(told) == sorted(ids)


def test_transitions_that_hold_are_read_with_the_columns_that_were_written(
    client: Client, sink: Sink
) -> None:
    one, gone = step(0, "", "one", "enter"), step(1, "one", "two")
    sink.insert("transitions", table(one, gone), "1")
    sink.insert("transitions", table({**gone, "withdrawn": True, "version": 2}), "2")
    assert history.said_transitions(client).equals(said(one))
