"""Persons and their evidence as columns: slots that are used again, and the size of each history."""

import numpy as np
import pytest
from journey_kit import DAY, NOON

from pipeline.core.homes import AWAY, Homes
from pipeline.core.person_table import PersonTable, evidence_columns, pieces, starts_of
from pipeline.core.stage_fold import State
from schemas.evidence import Evidence


def test_nothing_of_who_was_forgotten_is_left_for_who_comes_after() -> None:
    table = PersonTable(1)
    (slot,) = table.slots(["shop\x1fann"]).tolist()
    table.set_state(slot, State(b"\1", (NOON,), (1,), 3, NOON, NOON, NOON, {7: (NOON,)}))
    table.erase(["shop\x1fann"])
    assert table.slots(["shop\x1fbob"]).tolist() == [slot]
    assert table.state(slot) == State(b"\0", (0,), (0,))


def test_of_each_of_many_persons_the_evidence_is_counted() -> None:
    table, counts = PersonTable(1), [3, 1, 2]
    who = table.slots(["shop\x1fann", "shop\x1fbob", "shop\x1fcem"])
    for day in range(2):
        history = [Evidence(NOON + day * DAY + nth, (), "see", "", "direct", "") for nth in range(6)]
        table.append(np.repeat(who, counts), evidence_columns(history))
    assert (
        table.persons["size"][who].tolist()
        == [len(table.history(slot)) for slot in who.tolist()]
        == [6, 2, 4]
    )


def test_visitors_who_are_named_twice_have_one_row_and_one_for_what_is_not_theirs() -> None:
    table = PersonTable(1)
    Homes(table).expect(["shop\x1fphone", "shop\x1ftablet", "shop\x1fphone"])
    assert len(table.persons) == len(table.slot_of) == 4
    assert {AWAY + "shop\x1fphone", "shop\x1ftablet"} <= table.slot_of.keys()


def test_what_is_kept_comes_back_as_it_was() -> None:
    history = [
        Evidence(NOON, (1, 2), "see", "/a", "direct", "0" * 31 + "1", known=True),
        Evidence(NOON + 1, (), "buy", "/b", "email", "", known=False),
    ]
    assert pieces(evidence_columns(history)) == history


@pytest.mark.parametrize(
    ("values", "starts"), [([], []), ([7], [0]), ([7, 7, 8, 9, 9], [0, 2, 3]), ([1, 2, 2], [0, 1])]
)
def test_where_others_begin(values: list[int], starts: list[int]) -> None:
    assert starts_of(np.array(values, np.int64)).tolist() == starts
