"""The sixteen classic cases of session windows: lateness, watermark, idle and paused partitions, clocks, each
at its exact boundary and named after where it is known from."""

import pytest
from session_kit import HOUR, MINUTE, NOON, TIMEOUT, Follower, Hit, at, follow, rules, said_sessions, spans
from session_oracle import facts_of, oracle


@pytest.mark.parametrize(("behind", "outcome"), [(0, "sessionized"), (1, "late")])
def test_kafka_8289_a_hit_just_within_the_lateness_is_kept_and_one_just_beyond_is_late(
    behind: int, outcome: str
) -> None:
    follower = follow(at(3 * HOUR), at(2 * HOUR - behind), lateness_ms=HOUR, out_of_orderness_ms=0)
    assert follower.outcomes["shop", outcome] == 1 + (outcome == "sessionized")
    assert len(follower.sessions()) == 1 + (outcome == "sessionized")


def test_kafka_8289_a_session_is_forgotten_after_timeout_and_lateness_not_after_lateness_alone() -> None:
    lateness = 10 * MINUTE
    first, newest, late = at(0), at(TIMEOUT + lateness, visitor="bob"), at(TIMEOUT)
    follower = follow(first, newest, late, lateness_ms=lateness, out_of_orderness_ms=0)
    assert spans(follower)[0] == (0, TIMEOUT, 2), (
        "on time by a hair, and within reach of a session that had closed"
    )
    follower = follow(
        first, at(TIMEOUT + lateness + 1, visitor="bob"), late, lateness_ms=lateness, out_of_orderness_ms=0
    )
    assert follower.outcomes["shop", "late"] == 1
    assert spans(follower)[0] == (0, 0, 1)


def test_beam_18677_a_hit_inside_a_session_that_has_left_never_opens_an_overlapping_one() -> None:
    for lateness in (0, 1, TIMEOUT, HOUR):
        follower = Follower(rules(lateness, timeout_ms=5_000, out_of_orderness_ms=0))
        follower.feed(at(0))
        follower.feed(at(6_000, visitor="bob"))
        follower.feed(at(3_000))
        of_ann = [s for s in follower.sessions() if s["visitor_id"] == "ann"]
        late = follower.outcomes["shop", "late"]
        assert [(s["hits"], late) for s in of_ann] in ([(2, 0)], [(1, 1)])
        assert late == (lateness < 3_000)


def test_bytewax_8_the_watermark_never_goes_back() -> None:
    follower = follow(at(HOUR), lateness_ms=2 * HOUR)
    before = follower.watermark
    follower.feed(at(0))
    assert follower.watermark == before == NOON + HOUR - 10_000
    follower.restart()
    follower.feed(at(1))
    assert follower.watermark == before


def test_bytewax_138_an_idle_session_closes_by_the_clock_exactly_when_the_timeout_has_passed() -> None:
    follower = follow(at(0), lateness_ms=HOUR)
    follower.idle(TIMEOUT + 10_000)
    assert not follower.sessions()[0]["closed"], "the watermark stands at end + timeout"
    follower.idle(1)
    assert follower.sessions()[0]["closed"]
    assert follower.live_facts() == facts_of(oracle(at(0)))


def test_bytewax_138_a_crash_between_the_last_hit_and_the_close_still_closes() -> None:
    follower = follow(at(0), lateness_ms=HOUR)
    follower.restart()
    follower.idle(TIMEOUT + 10_001)
    assert follower.sessions()[0]["closed"]
    assert follower.active_sessions() == {}


def test_a_partition_that_is_behind_does_not_move_by_the_clock() -> None:
    follower = follow(at(0), lateness_ms=HOUR)
    output = follower.idle(24 * HOUR, is_caught_up=False)
    assert not said_sessions(output)
    assert follower.watermark == NOON - 10_000


def test_openpanel_10_a_worker_that_was_paused_for_longer_than_the_timeout_splits_nothing() -> None:
    follower = follow(at(0), lateness_ms=HOUR)
    follower.wall_ms += 10 * TIMEOUT  # SIGSTOP ... SIGCONT; then the backlog comes, and no tick before it
    follower.feed(at(TIMEOUT, 2 * TIMEOUT))
    assert spans(follower) == [(0, 2 * TIMEOUT, 3)]


def test_snowplow_13_just_inside_and_just_outside_the_late_limit_are_the_same_in_any_batches() -> None:
    for behind, late in ((0, 0), (1, 1)):
        hits = [*at(3 * HOUR), *at(2 * HOUR - behind)]
        together = follow(hits, lateness_ms=HOUR, out_of_orderness_ms=0)
        apart = follow(hits[:1], hits[1:], lateness_ms=HOUR, out_of_orderness_ms=0)
        assert together.outcomes == apart.outcomes
        assert together.sessions() == apart.sessions()
        assert together.outcomes["shop", "late"] == late


def test_matomo_14_hits_of_the_same_second_stay_one_visit_and_midnight_does_not_split() -> None:
    midnight = 12 * HOUR
    assert spans(follow(at(0, 999))) == [(0, 999, 2)]
    assert len(spans(follow(at(midnight - 5 * MINUTE, midnight + MINUTE)))) == 1


def test_skew_16_a_client_a_day_ahead_closes_nobody_elses_session() -> None:
    follower = follow(at(0), lateness_ms=HOUR)
    ahead = Hit(NOON + 24 * HOUR, "bob", hit_id="b1")
    follower.feed([ahead], received=NOON + MINUTE)
    assert follower.watermark == NOON + MINUTE - 10_000
    follower.feed(at(20 * MINUTE))
    assert spans(follower) == [(0, 20 * MINUTE, 2), (MINUTE, MINUTE, 1)]
    assert follower.hits[1]["clock_clamped"]
    assert not follower.live_facts()
