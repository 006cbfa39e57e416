"""Whose a visitor's hits are: named examples, and any order of any links against a naive reading of the rule."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.persons.identity import (
    MAX_OWNERS,
    NOBODY,
    Links,
    Members,
    claim,
    link,
    owner_at,
    owners,
    refuse,
    say,
)


def linked(*pairs: tuple[str, int]) -> Links:
    links = Links()
    for user, time in pairs:
        link(links, user, time)
    return links


def test_without_a_link_a_visitor_is_a_person() -> None:
    assert owner_at(owners(Links()), 5) == NOBODY


def test_a_login_owns_the_time_before_and_after() -> None:
    known = owners(linked(("ann", 100)))
    assert [owner_at(known, time) for time in (0, 99, 100, 101)] == ["ann"] * 4


def test_a_shared_device_goes_from_one_user_to_the_next() -> None:
    known = owners(linked(("ann", 100), ("bob", 200), ("ann", 300)))
    assert [owner_at(known, time) for time in (0, 199, 200, 400)] == ["ann", "ann", "bob", "bob"]


def test_an_earlier_link_moves_the_beginning() -> None:
    links = linked(("ann", 100), ("bob", 200))
    assert link(links, "bob", 50)
    assert owner_at(owners(links), 0) == "bob"
    assert owner_at(owners(links), 100) == "ann"


def test_the_same_link_again_says_nothing_new() -> None:
    links = linked(("ann", 100))
    assert not link(links, "ann", 100)
    assert not link(links, "ann", 101)


def test_in_the_same_millisecond_values_decide() -> None:
    assert owners(linked(("bob", 1), ("ann", 1))) == ((1, 1), ("ann", "bob"))


def test_an_unlinked_pair_is_no_link_until_the_word_is_taken_back() -> None:
    links = linked(("ann", 100))
    say(links, "ann", 1_000, is_unlinked=True)
    assert owner_at(owners(links), 100) == NOBODY
    link(links, "ann", 2_000)
    assert owner_at(owners(links), 2_000) == NOBODY
    say(links, "ann", 999, is_unlinked=False)  # an older word
    assert owner_at(owners(links), 100) == NOBODY
    say(links, "ann", 1_001, is_unlinked=False)
    assert owner_at(owners(links), 100) == "ann"


def test_the_word_may_come_before_the_link() -> None:
    links = Links()
    say(links, "ann", 1_000, is_unlinked=True)
    link(links, "ann", 5)
    assert owner_at(owners(links), 5) == NOBODY


def test_a_visitor_has_no_more_owners_than_it_may() -> None:
    links = linked(*((f"user-{n:03}", n) for n in range(MAX_OWNERS)))
    assert not link(links, "late", MAX_OWNERS)
    assert "late" not in links.since
    assert link(links, "early", -1)
    assert f"user-{MAX_OWNERS - 1:03}" not in links.since


def test_a_user_with_too_many_visitors_refuses_the_latest() -> None:
    members = Members()
    assert claim(members, "a", 10, 2) == []
    assert claim(members, "b", 20, 2) == []
    assert claim(members, "c", 30, 2) == [("c", True)]
    assert claim(members, "d", 5, 2) == [("b", True), ("d", False)]
    assert claim(members, "a", 1, 2) == []
    assert members.visitors == {"a": 1, "d": 5}


def test_a_refused_link_owns_nothing() -> None:
    links = linked(("ann", 100), ("bob", 200))
    refuse(links, "ann", is_refused=True)
    assert owner_at(owners(links), 100) == "bob"
    refuse(links, "ann", is_refused=False)
    assert owner_at(owners(links), 100) == "ann"


_pairs = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=12)
_words = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.booleans()), max_size=6)


@given(_pairs, _words, st.integers(-1, 10), st.randoms())
def test_the_owner_depends_on_the_set_alone(
    pairs: list[tuple[str, int]],
    words: list[tuple[str, int, bool]],
    time: int,
    rng: random.Random,
) -> None:
    said = [("link", one) for one in pairs] + [("word", one) for one in words]
    rng.shuffle(said)
    links = Links()
    for what, one in said:
        if what == "link":
            link(links, *one)  # type: ignore[misc]
        else:
            say(links, one[0], one[1], is_unlinked=one[2])  # type: ignore[misc]
    assert owner_at(owners(links), time) == _naive(pairs, words, time)


def _naive(pairs: list[tuple[str, int]], words: list[tuple[str, int, bool]], time: int) -> str:
    first = {user: min(at for other, at in pairs if other == user) for user, _ in pairs}
    for user in list(first):
        of_user = [(at, unlinked) for other, at, unlinked in words if other == user]
        if of_user and max(of_user)[1]:
            del first[user]
    turned_up = sorted((at, user) for user, at in first.items())
    by_then = [user for at, user in turned_up if at <= time]
    return by_then[-1] if by_then else turned_up[0][1] if turned_up else NOBODY


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 9)), max_size=15), st.integers(1, 4))
def test_who_is_refused_depends_on_the_set_alone(claims: list[tuple[str, int]], most: int) -> None:
    members, refused = Members(), set()
    for visitor, since in claims:
        for told, is_refused in claim(members, visitor, since, most):
            refused = refused | {told} if is_refused else refused - {told}
    first = {visitor: min(at for other, at in claims if other == visitor) for visitor, _ in claims}
    kept = sorted(first, key=lambda visitor: (first[visitor], visitor))[:most]
    assert members.visitors == {visitor: first[visitor] for visitor in kept}
    assert refused == first.keys() - set(kept)
