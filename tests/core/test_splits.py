"""Options of sessions: for any set of hits, in any order and batches, with restarts, what holds in the end is what the
naive oracle makes of the set."""

import random
from itertools import groupby
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from session_kit import HOUR, MINUTE, TIMEOUT, Follower, Hit
from session_oracle import active_of, facts_of, oracle, session_id_at
from split_kit import BERLIN, follower_of, ms, options_of
from test_sessionizer import delivered, follows_live, in_batches

from pipeline.core import split_table
from pipeline.core.parts import Splits

# Around midnight in Berlin; the steps make long chains of hits, equal times, and lengths just within and just beyond.
EVENING = ms("2026-01-01 23:20", BERLIN)
steps = st.sampled_from([0, 0, 1, 5 * MINUTE, 15 * MINUTE, 25 * MINUTE, TIMEOUT, TIMEOUT + 1, HOUR])
splits_of_any_kind = st.builds(
    Splits,
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 20 * MINUTE, HOUR, HOUR + 1]),
    st.just(BERLIN),
).filter(lambda splits: splits.any)


@st.composite
def hit(draw: st.DrawFn) -> Hit:
    campaign = draw(st.sampled_from(["", "", "", "spring", "summer"]))
    return Hit(
        EVENING + sum(draw(st.lists(steps, max_size=4))),
        draw(st.sampled_from(["ann"] * 6 + ["bob"])),
        draw(st.sampled_from(["page_view", "page_view", "click", "purchase"])),
        draw(st.sampled_from(["", "https://a.example/1", "https://a.example/2"])),
        draw(st.sampled_from(["", "", "u1"])),
        draw(st.sampled_from(["shop"] * 5 + ["blog"])),
        "email" if campaign else draw(st.sampled_from(["direct", "direct", "referral"])),
        draw(st.sampled_from(["", "https://b.example/"])),
        draw(st.sampled_from([None, 10.5])),
        campaign=campaign,
    )


hit_sets = st.lists(hit(), min_size=1, max_size=25)


def assert_agrees(follower: Follower, hits: list[Hit], splits: Splits, *, watermark: int | None) -> None:
    expected = oracle(hits, watermark=watermark, options=options_of(splits, splits.zone))
    assert follower.sessions() == expected
    assert follower.live_facts() == facts_of(expected)
    assert follower.active_sessions() == active_of(expected)
    stored = sorted(
        (row["site"], row["visitor_id"], row["event_time"], follower.session_of(offset))
        for offset, row in follower.hits.items()
    )
    assert stored == sorted((h.site, h.visitor, h.time, session_id_at(expected, h)) for h in hits)


@given(hit_sets, st.randoms(use_true_random=False), splits_of_any_kind)
@settings(max_examples=200, deadline=None)
def test_any_order_batches_redeliveries_and_restarts(
    hits: list[Hit], chance: random.Random, splits: Splits
) -> None:
    named, delivery = delivered(hits, chance)
    follower = follower_of(splits, zone=BERLIN)
    for batch in in_batches(delivery, chance):
        follower.feed(batch)
        if chance.random() < 0.3:
            follower.restart()
    follower.end()
    assert_agrees(follower, named, splits, watermark=None)


@given(
    hit_sets,
    st.randoms(use_true_random=False),
    splits_of_any_kind,
    st.sampled_from([0, 15 * MINUTE, 3 * HOUR]),
)
@settings(max_examples=200, deadline=None)
def test_live_what_is_said_agrees_after_each_unit_while_nothing_is_late(
    hits: list[Hit], chance: random.Random, splits: Splits, disorder: int
) -> None:
    follows_live(
        hits,
        chance,
        disorder,
        lambda lateness, most: follower_of(splits, lateness, BERLIN, out_of_orderness_ms=most),
        lambda follower, seen, watermark: assert_agrees(follower, seen, splits, watermark=watermark),
    )


@given(hit_sets, splits_of_any_kind)
@settings(max_examples=100, deadline=None)
def test_hits_in_order_may_be_folded(hits: list[Hit], splits: Splits) -> None:
    hits.sort(key=lambda h: h.time)
    instants = [list(at_once) for _, at_once in groupby(hits, key=lambda h: h.time)]
    with patch.object(split_table, "MOST_KEPT", 3):
        follower = follower_of(splits, zone=BERLIN)
        for at_once in instants:
            follower.feed(at_once)
        follower.restart()
        follower.end()
    assert_agrees(follower, hits, splits, watermark=None)
