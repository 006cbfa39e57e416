"""For any set of hits, in any order, any batches, with redeliveries and restarts, what holds in the end is
what a naive oracle makes of the set: sort by time, cut at gaps longer than the timeout."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_kit import HOUR, MINUTE, NOON, TIMEOUT, Follower, Hit, rules, said_sessions
from session_oracle import active_of, facts_of, oracle, session_id_at

# Steps around the timeout make gaps that are just within and just beyond it; small ones make equal times.
steps = st.sampled_from(
    [0, 0, 1, 40, 10 * MINUTE, TIMEOUT - 1, TIMEOUT, TIMEOUT + 1, 2 * TIMEOUT, 3 * TIMEOUT + 7]
)
events = st.sampled_from(["page_view", "page_view", "screen_view", "click", "scroll", "purchase", "sign_up"])
# Most hits are of one person, so that sessions meet; a few are of others, so that they might be mixed up.
people = st.sampled_from(
    [("ann", "")] * 5 + [("ann", "u1"), ("ann", "u2"), ("bob", ""), ("", "u1"), ("", "cal")]
)


@st.composite
def hit(draw: st.DrawFn) -> Hit:
    time = NOON + sum(draw(st.lists(steps, max_size=4)))
    visitor, user = draw(people)
    return Hit(
        time,
        visitor,
        draw(events),
        draw(st.sampled_from(["", "https://a.example/1", "https://a.example/2"])),
        user,
        draw(st.sampled_from(["shop"] * 5 + ["blog"])),
        draw(st.sampled_from(["direct", "email", "referral"])),
        draw(st.sampled_from(["", "https://b.example/"])),
        draw(st.sampled_from([None, 0.0, 10.5, -2.25])),
    )


hit_sets = st.lists(hit(), min_size=1, max_size=25)


def delivered(hits: list[Hit], chance: random.Random) -> tuple[list[Hit], list[Hit]]:
    """(the set, some of it with ids; a delivery, which brings some of those more than once)."""
    named = [h._replace(hit_id=f"id{at}") if chance.random() < 0.4 else h for at, h in enumerate(hits)]
    again = [h for h in named if h.hit_id and chance.random() < 0.5]
    delivery = named + again
    chance.shuffle(delivery)
    return named, delivery


def in_batches(values: list[Hit], chance: random.Random) -> list[list[Hit]]:
    batches, at = [], 0
    while at < len(values):
        size = chance.choice([1, 1, 2, 5, 40])
        batches.append(values[at : at + size])
        at += size
    return batches


def assert_agrees(
    follower: Follower, hits: list[Hit], *, watermark: int | None, preset: str = "pages"
) -> None:
    expected = oracle(hits, watermark=watermark, preset=preset)
    assert follower.sessions() == expected
    assert follower.live_facts() == facts_of(expected)
    assert follower.active_sessions() == active_of(expected)
    stored = sorted(
        (
            row["site"],
            row["visitor_id"],
            row["user_id"],
            row["event_time"],
            row["hit_id"],
            follower.session_of(offset),
        )
        for offset, row in follower.hits.items()
    )
    assert stored == sorted(
        (h.site, h.visitor, h.user, h.time, h.hit_id, session_id_at(expected, h)) for h in hits
    )


@given(hit_sets, st.randoms(use_true_random=False), st.sampled_from(["pages", "plausible", "ga4"]))
@settings(max_examples=250, deadline=None)
def test_any_order_batches_redeliveries_and_restarts_of_a_bounded_input(
    hits: list[Hit], chance: random.Random, preset: str
) -> None:
    named, delivery = delivered(hits, chance)
    follower = Follower(rules(bounce=preset))
    for batch in in_batches(delivery, chance):
        follower.feed(batch)
        if chance.random() < 0.3:
            follower.restart()
    open_until_the_end = oracle(named, watermark=0)
    assert follower.active_sessions() == active_of(open_until_the_end)
    follower.end()
    assert_agrees(follower, named, watermark=None, preset=preset)


@given(hit_sets, hit_sets, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_a_second_file_corrects_what_the_first_one_closed(
    first: list[Hit], second: list[Hit], chance: random.Random
) -> None:
    follower = Follower(rules())
    follower.feed(first)
    follower.end()
    assert_agrees(follower, first, watermark=None)
    follower.restart()
    for batch in in_batches(second, chance):
        follower.feed(batch)
    follower.end()
    assert_agrees(follower, first + second, watermark=None)


def follows_live(
    hits: list[Hit],
    chance: random.Random,
    disorder: int,
    follower_with: Callable[[int, int], Follower],
    agrees: Callable[[Follower, list[Hit], int | None], None],
) -> None:
    """Each hit comes at most ``disorder`` out of order: what lateness and out-of-orderness allow together.

    ``agrees``: fails unless the follower says what the oracle does of these hits, at that watermark.
    """
    named, delivery = delivered(hits, chance)
    delay = {id(h): chance.randint(0, disorder) for h in delivery}
    delivery.sort(key=lambda h: h.time + delay[id(h)])
    out_of_orderness = chance.randint(0, disorder)
    follower = follower_with(disorder - out_of_orderness, out_of_orderness)
    so_far: set[Hit] = set()
    unnamed: list[Hit] = []
    for batch in in_batches(delivery, chance):
        follower.feed(batch)
        so_far |= {h for h in batch if h.hit_id}
        unnamed += [h for h in batch if not h.hit_id]
        agrees(follower, [*so_far, *unnamed], follower.watermark)
        if chance.random() < 0.3:
            follower.restart()
    follower.idle(disorder + TIMEOUT + 2_000)
    agrees(follower, named, None)
    follower.idle(48 * HOUR)
    follower.idle(0)
    assert follower.remembered == (0, 0), "nothing of a visitor is kept for ever"


@given(hit_sets, st.randoms(use_true_random=False), st.sampled_from([0, 15 * MINUTE, 3 * HOUR]))
@settings(max_examples=250, deadline=None)
def test_live_what_is_said_agrees_after_each_unit_while_nothing_is_late(
    hits: list[Hit], chance: random.Random, disorder: int
) -> None:
    follows_live(
        hits,
        chance,
        disorder,
        lambda lateness, out_of_orderness: Follower(rules(lateness, out_of_orderness_ms=out_of_orderness)),
        lambda follower, seen, watermark: assert_agrees(follower, seen, watermark=watermark),
    )


@given(hit_sets, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_versions_of_a_row_grow_with_each_unit(hits: list[Hit], chance: random.Random) -> None:
    follower = Follower(rules(48 * HOUR))
    last = 0
    for batch in in_batches(hits, chance):
        output = follower.feed(batch)
        said = output.said
        versions = {row.version for row in said_sessions(output)} | {move.version for move in said.moves}
        assert versions == {said.version}
        assert said.version > last
        last = said.version
        if chance.random() < 0.5:
            follower.restart()


@pytest.mark.parametrize("preset", ["pages", "plausible", "ga4"])
def test_the_same_state_whatever_the_order(preset: str) -> None:
    hits = [
        Hit(NOON + at * TIMEOUT // 2, url=f"https://a.example/{at}", user="u" * (at % 2), hit_id=f"{at}")
        for at in range(6)
    ]
    states = []
    for order in (hits, hits[::-1], hits[1::2] + hits[::2]):
        follower = Follower(rules(bounce=preset))
        for one in order:
            follower.feed([one])
        follower.end()
        states.append((follower.sessions(), follower.live_facts()))
    assert states[0] == states[1] == states[2]
