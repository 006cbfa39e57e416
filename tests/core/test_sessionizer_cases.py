"""The sixteen classic cases of session windows: which hits are one session, merges and what they take back,
bounces, and how the rows end in a store. Each is named after where it is known from; those about time are in
test_sessionizer_cases_time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from session_kit import HOUR, MINUTE, NOON, TIMEOUT, Follower, Hit, at, follow, rules, said_sessions, spans
from session_oracle import active_of, facts_of, oracle, session_id_at

from pipeline.store.blocks import to_arrow
from pipeline.store.client import STORE_DIRECTORY, Client, connect, rows
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink
from schemas.session import Session

GAP = 5 * MINUTE


def test_contract_30_minutes_are_the_same_session_and_one_millisecond_more_is_a_new_one() -> None:
    assert spans(follow(at(0, TIMEOUT - 1))) == [(0, TIMEOUT - 1, 2)]
    assert spans(follow(at(0, TIMEOUT))) == [(0, TIMEOUT, 2)]
    assert spans(follow(at(0, TIMEOUT + 1))) == [(0, 0, 1), (TIMEOUT + 1, TIMEOUT + 1, 1)]
    assert spans(follow(at(TIMEOUT, 0))) == [(0, TIMEOUT, 2)]
    assert spans(follow(at(TIMEOUT + 1, 0))) == [(0, 0, 1), (TIMEOUT + 1, TIMEOUT + 1, 1)]


def test_kafka_streams_1_a_back_dated_hit_merges_two_sessions_and_retracts_both() -> None:
    follower = follow(at(0, GAP + 1), at(GAP // 2), timeout_ms=GAP, lateness_ms=HOUR)
    assert spans(follower) == [(0, GAP + 1, 3)]
    first, second = oracle(at(0, GAP + 1), timeout=GAP)
    (live,) = follower.sessions()
    assert live["session_id"] == first["session_id"], "the start has not moved, so the first keeps its id"
    withdrawn = [row for row in follower.rows.values() if row.withdrawn]
    assert [row.session_id for row in withdrawn] == [second["session_id"]]
    assert {follower.session_of(offset) for offset in range(3)} == {first["session_id"]}


def test_kafka_streams_2_the_same_time_twice_is_two_hits_of_one_session() -> None:
    assert spans(follow(at(0, 0))) == [(0, 0, 2)]
    assert spans(follow(at(0), at(0))) == [(0, 0, 2)]


@pytest.mark.parametrize("urls", [("", "/a"), ("/a", "")])
def test_at_equal_times_a_url_goes_before_none_also_in_a_later_unit(urls: tuple[str, str]) -> None:
    early = [Hit(NOON, event="click"), Hit(NOON + 5, url=urls[0])]
    late = [Hit(NOON + 3, event="click"), Hit(NOON + 5, url=urls[1])]
    (session,) = follow(early, late).sessions()
    assert (session["entry_url"], session["exit_url"]) == ("/a", "/a")


def test_kafka_streams_3_three_sessions_one_millisecond_beyond_the_gap() -> None:
    hits = at(0, GAP + 1, GAP + 1, 2 * GAP + 2, 2 * GAP + 2, 2 * GAP + 2)
    assert [count for _, _, count in spans(follow(hits, timeout_ms=GAP))] == [1, 2, 3]


def test_ksql_5_a_session_that_grows_is_said_again_and_a_start_that_moves_withdraws_the_old_id() -> None:
    follower = follow(at(10_000), lateness_ms=HOUR, timeout_ms=30_000)
    follower.feed(at(40_000))
    assert spans(follower) == [(10_000, 40_000, 2)]
    output = follower.feed(at(0))
    (withdrawal,) = [row for row in said_sessions(output) if row.withdrawn]
    assert withdrawal.start_time == NOON + 10_000
    assert spans(follower) == [(0, 40_000, 3)]
    assert {follower.session_of(offset) for offset in range(3)} == {follower.sessions()[0]["session_id"]}


def test_flink_6_a_hit_bridges_two_windows_and_the_next_one_covers_all_three() -> None:
    follower = Follower(rules(timeout_ms=3_000))
    follower.feed(at(0, 6_001, 12_001))
    follower.end()
    assert len(follower.sessions()) == 3
    follower.feed(at(9_001))
    follower.end()
    assert spans(follower) == [(0, 0, 1), (6_001, 12_001, 3)]
    follower.feed(at(3_001))
    follower.end()
    assert spans(follower) == [(0, 0, 1), (3_001, 12_001, 4)], (
        "exactly one millisecond too far from the first"
    )
    follower.feed(at(3_000))
    follower.end()
    assert spans(follower) == [(0, 12_001, 6)]


@pytest.mark.parametrize("closed", [0, 1, 2, 3])
def test_a_hit_that_bridges_closed_and_open_windows_corrects_everything(closed: int) -> None:
    """Three sessions of a visitor, of which so many have closed, become one when both gaps are covered."""
    starts = [0, 40 * MINUTE, 80 * MINUTE]
    follower = Follower(rules(48 * HOUR, out_of_orderness_ms=0))
    for start in starts:
        follower.feed([Hit(NOON + start), Hit(NOON + start + 1, event="purchase", revenue=5.0)])
    watermarks = [81 * MINUTE, 71 * MINUTE, 111 * MINUTE, 111 * MINUTE]
    follower.feed(at(watermarks[closed] if closed else 80 * MINUTE + 2, visitor="bob"))
    bridge = [Hit(NOON + 20 * MINUTE, event="scroll"), Hit(NOON + 60 * MINUTE, event="scroll")]
    follower.feed(bridge)
    hits = (
        [Hit(NOON + s) for s in starts]
        + [Hit(NOON + s + 1, event="purchase", revenue=5.0) for s in starts]
        + bridge
    )
    hits += at(watermarks[closed] if closed else 80 * MINUTE + 2, visitor="bob")
    expected = oracle(hits, watermark=follower.watermark)
    assert len(expected) == 2
    assert follower.sessions() == expected
    assert follower.live_facts() == facts_of(expected)
    assert follower.active_sessions() == active_of(expected)
    assert {follower.session_of(offset) for offset in (0, 2, 4, 7, 8)} == {session_id_at(expected, Hit(NOON))}


def test_hits_follow_a_start_that_moves_twice_and_is_then_taken_over() -> None:
    """Each is stored under another id; all of them lead to the last one in a single step."""
    follower = follow(at(0), lateness_ms=48 * HOUR)
    for start in (3 * TIMEOUT, 3 * TIMEOUT - 1, 3 * TIMEOUT - 2, 2 * TIMEOUT - 2, TIMEOUT - 2):
        follower.feed(at(start))
    assert spans(follower) == [(0, 3 * TIMEOUT, 6)]
    assert len({follower.hits[offset]["session_id"] for offset in range(6)}) == 5
    assert {follower.session_of(offset) for offset in range(6)} == {oracle(at(0))[0]["session_id"]}
    assert sum(row.withdrawn for row in follower.rows.values()) == 4


def test_one_hit_within_reach_of_two_sessions_on_either_side_and_beyond_either_by_a_millisecond() -> None:
    two = at(0, 2 * TIMEOUT)
    assert spans(follow(two, at(TIMEOUT))) == [(0, 2 * TIMEOUT, 3)]
    wider = at(0, 2 * TIMEOUT + 1)
    assert spans(follow(wider, at(TIMEOUT))) == [(0, TIMEOUT, 2), (2 * TIMEOUT + 1, 2 * TIMEOUT + 1, 1)]
    assert spans(follow(wider, at(TIMEOUT + 1))) == [(0, 0, 1), (TIMEOUT + 1, 2 * TIMEOUT + 1, 2)]


def test_bytewax_8_a_session_extends_backwards_by_exactly_the_gap() -> None:
    assert spans(follow(at(TIMEOUT), at(0))) == [(0, TIMEOUT, 2)]
    assert spans(follow(at(TIMEOUT + 1), at(0))) == [(0, 0, 1), (TIMEOUT + 1, TIMEOUT + 1, 1)]


def test_bytewax_8_the_merged_session_keeps_the_id_of_the_earliest_start() -> None:
    follower = follow(at(0), at(2 * TIMEOUT), at(TIMEOUT), lateness_ms=3 * HOUR)
    assert [s["session_id"] for s in follower.sessions()] == [oracle(at(0))[0]["session_id"]]


def test_openpanel_10_create_and_seven_updates_in_one_unit_are_one_row() -> None:
    follower = Follower(rules(HOUR))
    output = follower.feed(at(*range(0, 8_000, 1_000)))
    said = output.said
    assert [(row.hits, row.withdrawn) for row in said_sessions(output)] == [(8, False)]
    assert said.active == {"shop": 1}
    assert not said.facts
    assert not said.moves


def test_openpanel_10_a_session_that_is_extended_when_its_close_is_due_does_not_end() -> None:
    follower = follow(at(0), lateness_ms=HOUR, out_of_orderness_ms=0)
    hits = [Hit(NOON + TIMEOUT), Hit(NOON + TIMEOUT + 1, "bob")]
    output = follower.feed(hits)
    said = output.said
    assert not said.facts
    assert spans(follower) == [(0, TIMEOUT, 2), (TIMEOUT + 1, TIMEOUT + 1, 1)]


def test_openpanel_10_forgetting_an_old_session_leaves_the_newer_one_of_the_same_visitor() -> None:
    follower = follow(at(0), at(TIMEOUT + 1), lateness_ms=0, out_of_orderness_ms=0)
    follower.feed(at(2 * TIMEOUT, visitor="bob"))
    follower.feed(at(2 * TIMEOUT + 1))
    assert spans(follower) == [(0, 0, 1), (TIMEOUT + 1, 2 * TIMEOUT + 1, 2), (2 * TIMEOUT, 2 * TIMEOUT, 1)]


def test_posthog_11_a_background_event_never_extends_a_session() -> None:
    opened = Hit(NOON + 20 * MINUTE, event="email_open")
    follower = follow([*at(0), opened, *at(TIMEOUT + 1)])
    assert [count for _, _, count in spans(follower)] == [1, 1]
    assert follower.outcomes["shop", "background"] == 1
    assert follower.session_of(1) == ""


def test_posthog_11_another_visitors_activity_does_not_keep_a_session_open() -> None:
    hits = at(0, TIMEOUT + 1) + at(10 * MINUTE, 20 * MINUTE, visitor="bob")
    assert [s["hits"] for s in follow(hits).sessions() if s["visitor_id"] == "ann"] == [1, 1]


@pytest.mark.parametrize(
    ("hits", "pages", "plausible", "ga4"),
    [
        ([("page_view", 0)], True, True, True),
        ([("screen_view", 0)], True, True, True),
        ([("page_view", 0), ("page_view", 0)], False, False, False),
        ([("page_view", 0), ("screen_view", 1)], False, False, False),
        ([("page_view", 0), ("click", 1)], True, False, True),
        ([("page_view", 0), ("email_open", 1)], True, True, True),
        ([("page_view", 0), ("click", 9_999)], True, False, True),
        ([("page_view", 0), ("click", 10_000)], True, False, False),
        ([("page_view", 0), ("purchase", 1)], True, False, False),
        ([("click", 0)], False, False, False),
        ([("purchase", 0)], False, False, False),
    ],
)
def test_bounce_15_the_matrix(hits: list[tuple[str, int]], pages: bool, plausible: bool, ga4: bool) -> None:
    sent = [Hit(NOON + time, event=event) for event, time in hits]
    for preset, expected in (("pages", pages), ("plausible", plausible), ("ga4", ga4)):
        follower = follow(sent, bounce=preset)
        (fact,) = follower.live_facts()
        assert fact.bounced is expected, preset
        assert fact.counted is any(event in ("page_view", "screen_view") for event, _ in hits)
        assert follower.sessions()[0]["bounced"] is expected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Client]:
    with connect(tmp_path / STORE_DIRECTORY) as client:
        migrate(client)
        yield client


def _insert(client: Client, said: list[Session], token: str) -> None:
    Sink(client).insert("sessions", to_arrow("sessions", said), token)


def _stored(client: Client) -> list[tuple[int, bool]]:
    found = rows(client, "SELECT hits, closed FROM sessions ORDER BY start_time")
    return [(row["hits"], bool(row["closed"])) for row in found]


def test_plausible_9_versions_in_one_part_and_across_parts_collapse_to_the_newest(store: Client) -> None:
    follower = Follower(rules(HOUR))
    versions = [said_sessions(follower.feed(at(second * 1_000))) for second in range(4)]
    _insert(store, [row for unit in versions[:2] for row in unit], "one")
    assert _stored(store) == [(2, False)]
    _insert(store, versions[3], "two")
    _insert(store, versions[2], "three")
    assert _stored(store) == [(4, False)], "an older version that comes later changes nothing"


def test_mapletech_12_versions_one_insert_at_a_time_with_merges_stopped_show_one_row(store: Client) -> None:
    """One INSERT of all versions would be merged while it is written and prove nothing."""
    store.command("SYSTEM STOP MERGES sessions_rows")
    follower = Follower(rules(HOUR, out_of_orderness_ms=0))
    for n, unit in enumerate((at(MINUTE), at(TIMEOUT + 2 * MINUTE), at(TIMEOUT), at(0))):
        _insert(store, said_sessions(follower.feed(unit)), f"unit {n}")
    (parts,) = rows(store, "SELECT count() AS n FROM system.parts WHERE table = 'sessions_rows' AND active")
    assert parts["n"] == 4
    assert _stored(store) == [(4, False)]
    _insert(store, said_sessions(follower.idle(3 * TIMEOUT)), "close")
    assert _stored(store) == [(4, True)]
    (row,) = rows(store, "SELECT session_id FROM sessions")
    assert row["session_id"] == follower.sessions()[0]["session_id"]
