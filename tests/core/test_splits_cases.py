"""Options of sessions: an example at each boundary."""

from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from session_kit import HOUR, MINUTE, NOON, Follower, Hit, rules, spans
from split_kit import BERLIN, follower_of, ms

from pipeline.core import split_table
from pipeline.core.intake import Intake
from pipeline.core.parts import PRESETS, Splits
from schemas.erasure import Erasure

ALL = Splits(midnight=True, campaign=True, longest_ms=HOUR)


def at(*times: int, start: int = NOON, channel: str = "direct") -> list[Hit]:
    return [Hit(start + time, channel=channel) for time in times]


def of(name: str, time: int) -> Hit:
    """A hit that names this campaign, so long after noon."""
    return Hit(NOON + time, channel="email", campaign=name)


def split_spans(hits: list[Hit], splits: Splits) -> list[tuple[int, int, int]]:
    """(start, end, hits) of the sessions, ms after noon: the same in every order, all at once and one by one."""
    follower = follower_of(splits)
    follower.feed(hits)
    follower.end()
    for order in permutations(hits) if len(hits) < 5 else [hits[::-1]]:
        single = follower_of(splits)
        for one in order:
            single.feed([one])
        single.end()
        assert single.sessions() == follower.sessions()
    return spans(follower)


@pytest.mark.parametrize(
    ("zone", "last", "first"),
    [
        ("Europe/Berlin", "2026-01-01 23:59:59.999", "2026-01-02 00:00"),
        ("Europe/Berlin", "2026-03-28 23:59:59.999", "2026-03-29 00:00"),  # the day that has 23 hours
        ("Europe/Berlin", "2026-03-29 23:59:59.999", "2026-03-30 00:00"),
        ("Europe/Berlin", "2026-10-25 23:59:59.999", "2026-10-26 00:00"),  # the end of the day that has 25
        ("Africa/Cairo", "2026-04-23 23:59:59.999", "2026-04-24 01:00"),  # a day without midnight
        ("Asia/Kathmandu", "2026-01-01 23:59:59.999", "2026-01-02 00:00"),
    ],
)
def test_midnight_is_that_of_the_site_also_where_clocks_change(zone: str, last: str, first: str) -> None:
    here = ZoneInfo(zone)
    before, after = ms(last, here), ms(first, here)
    assert after - before == 1
    one = follower_of(Splits(midnight=True), zone=here)
    one.feed([Hit(before - 1), Hit(before), Hit(after), Hit(after + 1)])
    one.end()
    assert [(s["start_time"], s["end_time"]) for s in one.sessions()] == [
        (before - 1, before),
        (after, after + 1),
    ]


def test_the_hour_that_comes_twice_is_one_day() -> None:
    start = ms("2026-10-25 01:30", BERLIN)
    one = follower_of(Splits(midnight=True), zone=BERLIN)
    one.feed(at(*(n * 20 * MINUTE for n in range(8)), start=start))
    one.end()
    assert len(one.sessions()) == 1


def test_each_site_has_its_own_midnight() -> None:
    midnight = ms("2026-01-02 00:00", BERLIN)
    one = follower_of(Splits(midnight=True))
    one.feed([Hit(midnight + t, site=site) for site in ("shop", "blog") for t in (-1, 0)])
    one.end()
    assert [s["site"] for s in one.sessions()] == ["blog", "blog", "shop"]


def test_another_campaign_and_back_are_three_sessions() -> None:
    hits = [of("spring", 0), of("summer", MINUTE), of("spring", 2 * MINUTE)]
    assert split_spans(hits, Splits(campaign=True)) == [
        (0, 0, 1),
        (MINUTE, MINUTE, 1),
        (2 * MINUTE, 2 * MINUTE, 1),
    ]


def test_a_direct_hit_and_the_same_campaign_split_nothing() -> None:
    hits = [of("spring", 0), *at(MINUTE), of("spring", 2 * MINUTE), *at(3 * MINUTE, channel="referral")]
    assert split_spans(hits, Splits(campaign=True)) == [(0, 3 * MINUTE, 4)]


def test_a_session_that_began_directly_takes_the_first_campaign() -> None:
    hits = [*at(0), of("spring", MINUTE), of("summer", 2 * MINUTE)]
    assert split_spans(hits, Splits(campaign=True)) == [(0, MINUTE, 2), (2 * MINUTE, 2 * MINUTE, 1)]
    one = follower_of(Splits(campaign=True))
    one.feed(hits)
    one.end()
    assert [s["channel"] for s in one.sessions()] == ["email", "email"]


def test_a_session_that_came_by_search_ends_at_a_campaign() -> None:
    hits = [*at(0, channel="organic_search"), of("spring", MINUTE)]
    assert split_spans(hits, Splits(campaign=True)) == [(0, 0, 1), (MINUTE, MINUTE, 1)]


def test_hits_of_one_millisecond_are_never_parted() -> None:
    hits = [of("spring", 0), of("summer", 0), of("spring", 1)]
    assert split_spans(hits, Splits(campaign=True)) == [(0, 1, 3)]


def test_of_several_campaigns_in_one_millisecond_the_least_is_that_of_the_session() -> None:
    one = follower_of(Splits(campaign=True))
    one.feed([
        Hit(NOON, url="https://a.example/1", channel="push", campaign="summer"),
        Hit(NOON, url="https://a.example/2", channel="email", campaign="spring"),
    ])  # fmt: skip
    one.end()
    assert [(s["channel"], s["entry_url"]) for s in one.sessions()] == [("email", "https://a.example/1")]


def test_another_campaign_in_the_first_millisecond_of_a_session_joins_it_to_the_one_before() -> None:
    hits = [of("spring", 0), of("summer", 1), of("spring", 1)]
    assert split_spans(hits[:2], Splits(campaign=True)) == [(0, 0, 1), (1, 1, 1)]
    assert split_spans(hits, Splits(campaign=True)) == [(0, 1, 3)]


def test_exactly_the_longest_is_one_session_and_a_millisecond_more_are_two() -> None:
    quarter = 15 * MINUTE
    hits = at(0, quarter, 2 * quarter, 3 * quarter, HOUR)
    assert split_spans(hits, Splits(longest_ms=HOUR)) == [(0, HOUR, 5)]
    hits[-1] = Hit(NOON + HOUR + 1)
    assert split_spans(hits, Splits(longest_ms=HOUR)) == [(0, 3 * quarter, 4), (HOUR + 1, HOUR + 1, 1)]


def test_a_late_hit_moves_every_cut_after_it() -> None:
    one = follower_of(Splits(longest_ms=HOUR), 3 * HOUR)
    one.feed(at(*(n * 20 * MINUTE for n in range(8))))
    assert [span[:2] for span in spans(one)] == [(0, HOUR), (80 * MINUTE, 140 * MINUTE)]
    said = one.feed(at(-10 * MINUTE)).said
    assert [span[:2] for span in spans(one)] == [
        (-10 * MINUTE, 40 * MINUTE),
        (HOUR, 2 * HOUR),
        (140 * MINUTE,) * 2,
    ]
    assert len(said.withdrawn) == 2
    first = one.hits[0]["session_id"]
    (split,) = [move for move in said.moves if move.old_id == first]
    assert split.starts == [NOON - 10 * MINUTE, NOON + HOUR]


def test_a_closed_session_that_is_split_is_taken_back_and_told_again() -> None:
    one = follower_of(Splits(campaign=True), 3 * HOUR)
    one.feed([of("spring", 0), *at(20 * MINUTE)])
    one.idle(HOUR)
    assert [s["closed"] for s in one.sessions()] == [True]
    one.restart()
    one.feed([of("summer", 10 * MINUTE)])
    one.idle(1)
    assert [(s["closed"], s["hits"]) for s in one.sessions()] == [(True, 1), (True, 2)]
    assert sum(one.live_facts().values()) == 2


@pytest.mark.parametrize("pause", [0, 1])
def test_a_session_that_is_split_twice_and_may_be_forgotten_in_part_knows_where_its_hits_are(
    pause: int,
) -> None:
    """The first session cannot change any more when the second is split; hits of all three have the id of the first."""
    one = follower_of(Splits(campaign=True), 10 * MINUTE, out_of_orderness_ms=0, session_update_ms=HOUR)
    one.feed([of("spring", 0), *at(10 * MINUTE + 1, 20 * MINUTE)])
    said = one.feed([of("summer", 10 * MINUTE)])
    assert len(list(said.sessions)) == 1, "the rows leave with what is said of the ids"
    one.feed(at(30 * MINUTE, 40 * MINUTE, 50 * MINUTE))
    one.idle(pause)
    one.restart()
    one.feed([of("autumn", 45 * MINUTE)])
    starts = {s["session_id"]: s["start_time"] - NOON for s in one.sessions()}
    found = {row["event_time"] - NOON: starts[one.session_of(offset)] for offset, row in one.hits.items()}
    assert found[0] == 0
    assert {found[n * MINUTE] for n in (10, 20, 30, 40)} == {10 * MINUTE}
    assert {found[n * MINUTE] for n in (45, 50)} == {45 * MINUTE}


def test_what_was_folded_is_not_parted_and_its_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_table, "MOST_KEPT", 10)
    one = follower_of(Splits(campaign=True), 3 * HOUR)
    one.feed([of("spring", 0)])
    sizes = []
    for minute in range(1, 60):
        one.feed(at(minute * MINUTE))
        sizes.append(len(one.states[-1][1]))
    assert max(sizes[30:]) < 2 * max(sizes[:10])
    one.feed([of("summer", 10 * MINUTE + 1)])
    assert spans(one) == [(0, 59 * MINUTE, 61)]
    one.feed([of("summer", 58 * MINUTE + 1)])
    assert spans(one) == [(0, 58 * MINUTE, 60), (58 * MINUTE + 1, 59 * MINUTE, 2)]


def test_what_was_folded_still_ends_at_a_campaign_if_it_came_by_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the first of the hits at the session's start, by value, is a direct one."""
    monkeypatch.setattr(split_table, "MOST_KEPT", 3)
    hits = [*at(0, 0, 0), *at(0, channel="search"), *at(1, 2, 3)]
    one = follower_of(Splits(campaign=True))
    for hit in hits:
        one.feed([hit])
    one.restart()
    one.feed([of("spring", MINUTE)])
    one.end()
    assert spans(one) == [(0, 3, 7), (MINUTE, MINUTE, 1)]
    assert [session["channel"] for session in one.sessions()] == ["direct", "email"]


def test_a_person_who_is_erased_is_in_no_kept_hit() -> None:
    """Also where the session's last user was another."""
    intake = Intake(rules(splits=ALL), 0)
    hits = [Hit(NOON, user="to be erased"), Hit(NOON + 1, user="another"), Hit(NOON, "bob", user="bob")]
    intake.take([one.raw for one in hits], [NOON] * 3, [0, 1, 2])
    first = intake.finish(NOON, has_records=True, is_caught_up=True)
    assert first.state is not None
    assert b"to be erased" in first.state
    intake.erase(Erasure(1, "shop", users=frozenset({"to be erased"})))
    second = intake.finish(NOON, has_records=False, is_caught_up=True, number=1)
    assert second.state is not None
    assert second.needed == 1
    assert b"to be erased" not in second.state
    assert b"bob" in second.state


def test_off_nothing_is_kept_of_single_hits_and_an_option_may_be_set_and_unset() -> None:
    one = Follower(rules(3 * HOUR))
    one.feed([*at(0, MINUTE), *(Hit(NOON, f"visitor {n}") for n in range(50))])
    before = b"".join(entry for _, entry in one.states)
    assert b"kept" not in before
    one.rules = rules(3 * HOUR, splits=ALL)
    one.restart()
    one.feed(at(20 * MINUTE, 100 * MINUTE))
    assert spans(one)[:2] == [(0, 20 * MINUTE, 3), (100 * MINUTE, 100 * MINUTE, 1)]
    one.rules = rules(3 * HOUR)
    one.restart()
    one.feed(at(40 * MINUTE))
    one.rules = rules(3 * HOUR, splits=ALL)
    one.restart()
    one.feed(at(41 * MINUTE))
    assert spans(one)[:2] == [(0, 41 * MINUTE, 5), (100 * MINUTE, 100 * MINUTE, 1)]


def test_presets_are_what_the_products_do() -> None:
    assert not PRESETS["masir"].any
    assert not PRESETS["ga4"].any
    assert PRESETS["matomo"] == Splits(midnight=True, campaign=True)


def test_what_was_told_of_a_closed_session_is_taken_back_where_a_late_hit_moves_its_start() -> None:
    follower = follower_of(ALL, HOUR, out_of_orderness_ms=0)
    follower.feed(at(0))
    follower.feed([Hit(NOON + 31 * MINUTE, "bob")])
    assert follower.facts.total() == 1, "it has closed"
    follower.feed(at(-MINUTE))
    follower.end()
    assert follower.facts.total() == 2, "one of each visitor"
    assert follower.active == {"shop": 0}
