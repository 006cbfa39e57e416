"""What was said of the stages beside what ought to be: what holds, what differs, and the counts that follow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipeline.store import history
from schemas.rows import TRANSITION_ROWS

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
