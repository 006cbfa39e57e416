"""What is told of sessions that close together: against what is told of each alone."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from session_kit import NOON, TIMEOUT, facts_of

from pipeline.core.closing import Closed
from pipeline.core.coded import Codes
from pipeline.core.ids import SEPARATOR, partition_of, visitor_key
from pipeline.core.persons.teller import Touched
from pipeline.core.session import CONTEXT, SEGMENTS, Told, told_of
from pipeline.core.slots import objects
from pipeline.core.windows import PANE_MS, sum_segments, sum_sessions
from schemas.session import SessionFact

MOST = 2**63 - 1

users = st.sampled_from(["", "u1", "u2"])
keys = st.builds(visitor_key, st.sampled_from(["shop", "blog"]), st.sampled_from(["", "ann"]), users)
contexts = st.tuples(*[st.sampled_from(["", "a"]) for _ in CONTEXT]).map(SEPARATOR.join)
goals = st.none() | st.lists(st.tuples(st.integers(NOON, NOON + 9), users), min_size=1, max_size=3).map(tuple)
flags = st.tuples(*[st.booleans()] * 3)
sessions = st.tuples(
    keys, users, contexts, st.integers(0, 3 * PANE_MS), flags, st.sampled_from([0, 1, MOST]), goals
)
some = st.lists(sessions, min_size=1, max_size=12)


def closed_of(rows: list[tuple[Any, ...]]) -> Closed:
    """They began at noon."""
    of_key, of_user, of_context, durations, of_flags, revenue, of_goals = zip(*rows, strict=True)
    duration = np.array(durations, np.int64)
    counts = (np.array(column, np.int64) for column in zip(*of_flags, strict=True))
    start, end = np.full(len(rows), NOON), NOON + duration
    sums = (np.ones(len(rows), np.int64), *counts, duration, np.array(revenue, np.int64))
    texts = (Codes().of(column) for column in (of_key, of_user, of_context))
    an_id = np.array([bytes([1 + at] * 16) for at in range(len(rows))], "V16")
    return Closed(*texts, an_id, start, end, end + TIMEOUT, sums, objects(of_goals))  # type: ignore[arg-type, call-arg]


@given(some, some)
def test_the_sums_of_sessions_are_those_of_their_facts(
    rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]]
) -> None:
    closed, facts = closed_of(rows), facts_of(closed_of(others))
    back = [SessionFact(*[getattr(fact, name) for name in fact.__struct_fields__[:-1]], -1) for fact in facts]
    expected = sum_sessions([*facts_of(closed), *back], PANE_MS)
    found = sum_sessions(back, PANE_MS, closed)
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    expected_of = sum_segments([*facts_of(closed), *back], PANE_MS, SEGMENTS)
    found_of = sum_segments(back, PANE_MS, SEGMENTS, closed)
    assert sorted(found_of, key=repr) == sorted(expected_of, key=repr)


@given(some)
def test_the_persons_hear_of_each_session_and_of_its_goals(rows: list[tuple[Any, ...]]) -> None:
    closed = closed_of(rows)
    told = [
        one
        for row, (key, user, *_, of_goals) in enumerate(rows)
        for one in told_of(
            Told(
                key,
                user,
                closed.id[row].tobytes().hex(),
                int(closed.start[row]),
                int(closed.end[row]),
                closed.channel[row],
                1,
            ),
            of_goals or (),
        )
    ]
    expected = Touched(sessions=told).by_partition("", None, 4, to_all=True)
    found = list(Touched(closed=closed).by_partition("", None, 4, to_all=True))
    assert found == list(expected)
    assert all(partition_of(key, 4) == target for target, one in found for key in one.sessions.key)


def test_what_is_taken_back_goes_before() -> None:
    closed = closed_of(
        [(visitor_key("shop", "ann", ""), "", SEPARATOR * 12, 0, (True, True, False), 0, None)]
    )
    back = Told(visitor_key("shop", "ann", ""), "", "ab", NOON, NOON, "", -1)
    ((_, message),) = Touched(closed=closed, sessions=[back]).by_partition("", None, 1, to_all=False)
    assert message.sessions.sign == [-1, 1]
    assert message.sessions.session_id == ["ab", "01" * 16]
