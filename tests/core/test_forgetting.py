"""After a person is erased the journal needs no entry from before, and none that it needs tells of them."""

import json

import numpy as np
from session_kit import HOUR, NOON, Hit, rules, said_sessions

from pipeline.core.intake import Intake
from pipeline.core.slots import Slots
from schemas.erasure import Erasure


def test_one_entry_holds_all_rows_and_no_other_is_needed() -> None:
    slots = Slots({"name": object})
    at = slots.take(100)
    slots["name"][at] = np.array([f"row {number}" for number in range(100)], object)
    slots.changes(0)
    slots.touch(at[:2])
    slots.changes(1)
    slots.free(at[7:8])
    slots.write_all()
    entry, needed = slots.changes(2)
    assert needed == 2
    assert b"row 8" in entry
    restored = Slots({"name": object})
    restored.restore([(2, entry)])
    assert sorted(restored["name"][restored.live()]) == sorted(f"row {n}" for n in range(100) if n != 7)


def test_an_intake_forgets_one_of_many_at_once() -> None:
    def raw(visitor: str) -> bytes:
        return json.dumps(
            {"site": "shop", "event": "page_view", "visitor_id": visitor, "time": NOON}
        ).encode()

    intake = Intake(rules(), 0)
    visitors = [f"visitor-{number}" for number in range(500)]
    intake.take([raw(one) for one in visitors], [NOON] * 500, list(range(500)))
    first = intake.finish(NOON, has_records=True, is_caught_up=True)
    assert first.state is not None
    assert b"visitor-77" in first.state
    intake.erase(Erasure(1, "shop", visitors=frozenset({"visitor-77"})))
    second = intake.finish(NOON, has_records=False, is_caught_up=True, number=1)
    assert second.state is not None
    assert (second.needed, second.said.active) == (1, {"shop": -1})
    assert b"visitor-77" not in second.state
    assert b"visitor-499" in second.state


def test_a_visitor_goes_on_anew_where_a_session_was_forgotten() -> None:
    intake = Intake(rules(HOUR), 0)
    hits = [Hit(NOON, "v", user="ann"), Hit(NOON + 60_000, "v")]
    intake.take([hits[0].raw], [NOON], [0])
    intake.finish(NOON, has_records=True, is_caught_up=True)
    intake.erase(Erasure(1, "shop", users=frozenset({"ann"}), shared=frozenset({"v"})))
    intake.finish(NOON, has_records=False, is_caught_up=True, number=1)
    intake.take([hits[1].raw], [NOON + 60_000], [1])
    (row,) = said_sessions(intake.finish(NOON + 60_000, has_records=True, is_caught_up=True, number=2))
    assert (row.visitor_id, row.user_id, row.hits, row.start_time) == ("v", "", 1, NOON + 60_000)
