"""Persons and their evidence as columns: slots that are used again, and the size of each history."""

import numpy as np
from journey_kit import DAY, NOON

from pipeline.core.person_table import PersonTable, evidence_columns
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
