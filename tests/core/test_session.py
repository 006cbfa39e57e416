"""A session is the sum of its hits: merging is commutative and associative."""

import copy
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_kit import NOON, Hit, follow

from pipeline.core.session import OpenSession, channel_of, context_of, merge, of_one_hit, withdrawal
from schemas.session import SessionFact


def first(time: int, url: str = "", channel: str = "direct") -> tuple[int, str, str]:
    """Time, url and context of a hit."""
    return time, url, context_of(["", channel, *[""] * 11])


@st.composite
def one_hit(draw: st.DrawFn) -> OpenSession:
    time = NOON + draw(st.integers(0, 3))
    is_view = draw(st.booleans())
    return of_one_hit(
        *first(time, draw(st.sampled_from(["", "/a", "/b"])), draw(st.sampled_from(["direct", "email"]))),
        draw(st.sampled_from(["", "u1", "u2"])),
        is_view=is_view,
        is_goal=draw(st.booleans()),
        revenue=draw(st.none() | st.integers(-5, 5)),
    )


def merged(parts: list[OpenSession]) -> OpenSession:
    parts = copy.deepcopy(parts)
    for part in parts[1:]:
        merge(parts[0], part)
    return parts[0]


@given(st.lists(one_hit(), min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_merging_does_not_depend_on_order_or_grouping(parts: list[OpenSession], chance: object) -> None:
    shuffled = list(parts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    middle = len(parts) // 2
    grouped = [merged(half) for half in (shuffled[:middle], shuffled[middle:]) if half]
    assert merged(parts) == merged(shuffled) == merged(grouped)


def test_equal_times_are_decided_by_value() -> None:
    hits = [
        of_one_hit(*first(NOON, url, channel), user, is_view=True, is_goal=False, revenue=None)
        for url, channel, user in (("/b", "email", "u1"), ("/a", "referral", "u2"), ("/a", "direct", "u0"))
    ]
    session = reduce(lambda into, other: merge(into, other) or into, hits)
    assert (channel_of(session.context), session.entry_url, session.exit_url) == ("direct", "/a", "/b")
    assert session.user == (NOON, "u2")


def test_at_equal_times_a_url_goes_before_none() -> None:
    hits = [
        of_one_hit(*first(NOON, url, channel), "", is_view=True, is_goal=False, revenue=None)
        for url, channel in (("", "direct"), ("/a", "email"))
    ]
    for pair in (hits, hits[::-1]):
        session = merged(pair)
        assert (channel_of(session.context), session.url) == ("email", "/a")
        assert (session.entry_url, session.exit_url) == ("/a", "/a")


def test_revenue_counts_with_goals_only() -> None:
    for is_goal, revenue in ((True, 5), (False, 0)):
        hit = of_one_hit(*first(NOON), "", is_view=False, is_goal=is_goal, revenue=5)
        assert hit.revenue_micros == revenue
        assert hit.conversions == int(is_goal)


def test_entry_and_exit_are_views_where_there_is_one() -> None:
    def at(ms: int, url: str, is_view: bool) -> OpenSession:
        return of_one_hit(*first(NOON + ms, url), "", is_view=is_view, is_goal=False, revenue=None)

    session = at(0, "/click", False)
    assert (session.entry_url, session.exit_url) == ("/click", "/click")
    merge(session, at(1, "/view", True))
    merge(session, at(2, "/scroll", False))
    assert (session.entry_url, session.exit_url, session.end) == ("/view", "/view", NOON + 2)


@pytest.mark.parametrize(
    ("hit", "ids"),
    [
        (Hit(NOON), ("ann", "", "ann")),
        (Hit(NOON, user="u1"), ("ann", "u1", "u1")),
        (Hit(NOON, visitor="", user="u1"), ("", "u1", "u1")),
    ],
)
def test_the_row_tells_visitor_and_user(hit: Hit, ids: tuple[str, str, str]) -> None:
    (row,) = follow([hit]).sessions()
    assert (row["site"], row["visitor_id"], row["user_id"], row["person_id"]) == ("shop", *ids)


def test_the_fact_is_of_the_close_time_end_and_timeout() -> None:
    follower = follow([Hit(NOON, revenue=9e-6, event="purchase"), Hit(NOON + 500)], timeout_ms=1_000)
    assert list(follower.live_facts()) == [
        SessionFact("shop", "direct", NOON + 1_500, 500, True, True, True, 9)
    ]


def test_a_withdrawal_names_the_row_and_nothing_else() -> None:
    said = withdrawal("id", NOON, "shop\x1fvann", version=9)
    assert (said.session_id, said.site, said.start_time, said.withdrawn, said.version) == (
        "id",
        "shop",
        NOON,
        True,
        9,
    )
    assert (said.visitor_id, said.hits, said.closed) == ("", 0, False)
