"""A session is the sum of its hits: merging is commutative and associative, and the fast way equals it."""

import copy
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.session import OpenSession, context_of, extend, fact, merge, of_one_hit, row, withdrawal
from schemas.session import SessionFact

NOON = 1_767_268_800_000


def first(time: int, url: str = "", channel: str = "direct") -> tuple[int, str, str]:
    """Time, url and context of a hit."""
    return time, url, context_of(["", channel, *[""] * 11])


@st.composite
def one_hit(draw: st.DrawFn) -> OpenSession:
    time = NOON + draw(st.integers(0, 3))
    is_view = draw(st.booleans())
    return of_one_hit(
        *first(time, draw(st.sampled_from(["/a", "/b"])), draw(st.sampled_from(["direct", "email"]))),
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
def test_merging_does_not_depend_on_order_or_grouping(parts: list[OpenSession], chance: object) -> None:
    shuffled = list(parts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    middle = len(parts) // 2
    grouped = [merged(half) for half in (shuffled[:middle], shuffled[middle:]) if half]
    assert merged(parts) == merged(shuffled) == merged(grouped)


@given(one_hit(), st.lists(one_hit(), max_size=6))
def test_extending_equals_merging_a_session_of_one_hit(one: OpenSession, later: list[OpenSession]) -> None:
    """For hits later than the start, which is what extending is for."""
    fast, general = copy.deepcopy(one), copy.deepcopy(one)
    for hit in later:
        if hit.start <= one.start:
            continue
        is_goal = hit.conversions == 1
        extend(
            fast,
            hit.start,
            hit.url,
            hit.user[1] if hit.user else "",
            is_view=hit.views == 1,
            is_goal=is_goal,
            revenue=hit.revenue_micros if is_goal else 7_000_000,
        )
        merge(general, hit)
    assert fast == general


def test_equal_times_are_decided_by_value() -> None:
    hits = [
        of_one_hit(*first(NOON, url, channel), user, is_view=True, is_goal=False, revenue=None)
        for url, channel, user in (("/b", "email", "u1"), ("/a", "referral", "u2"), ("/a", "direct", "u0"))
    ]
    session = reduce(lambda into, other: merge(into, other) or into, hits)
    said = row(session, "shop\x1fvann", preset="pages", version=1)
    assert (said.channel, said.entry_url, said.exit_url) == ("direct", "/a", "/b")
    assert session.user == (NOON, "u2")


def test_revenue_counts_with_goals_only() -> None:
    for is_goal, revenue in ((True, 5), (False, 0)):
        hit = of_one_hit(*first(NOON), "", is_view=False, is_goal=is_goal, revenue=5)
        assert hit.revenue_micros == revenue
        assert hit.conversions == int(is_goal)


def test_entry_and_exit_are_views_where_there_is_one() -> None:
    session = of_one_hit(*first(NOON, "/click"), "", is_view=False, is_goal=False, revenue=None)
    said = row(session, "shop\x1fvann", preset="pages", version=1)
    assert (said.entry_url, said.exit_url) == ("/click", "/click")
    extend(session, NOON + 1, "/view", "", is_view=True, is_goal=False, revenue=None)
    extend(session, NOON + 2, "/scroll", "", is_view=False, is_goal=False, revenue=None)
    said = row(session, "shop\x1fvann", preset="pages", version=2)
    assert (said.entry_url, said.exit_url) == ("/view", "/view")
    assert (said.end_time, said.duration_ms) == (NOON + 2, 2)


def test_the_key_tells_visitor_and_user() -> None:
    session = of_one_hit(*first(NOON), "", is_view=True, is_goal=False, revenue=None)
    said = row(session, "shop\x1fvann", preset="pages", version=1)
    assert (said.site, said.visitor_id, said.user_id, said.person_id) == ("shop", "ann", "", "ann")
    session.user = (NOON, "u1")
    said = row(session, "shop\x1fvann", preset="pages", version=1)
    assert (said.visitor_id, said.user_id, said.person_id) == ("ann", "u1", "u1")
    said = row(session, "shop\x1fuu1", preset="pages", version=1)
    assert (said.visitor_id, said.user_id, said.person_id) == ("", "u1", "u1")


def test_the_fact_is_of_the_close_time_end_and_timeout() -> None:
    session = of_one_hit(*first(NOON), "", is_view=True, is_goal=True, revenue=9)
    extend(session, NOON + 500, "", "", is_view=False, is_goal=False, revenue=None)
    assert fact(session, site="shop", timeout_ms=1_000, preset="pages") == SessionFact(
        "shop", "direct", NOON + 1_500, 500, True, True, True, 9
    )


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
