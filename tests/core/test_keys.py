"""Keys of many: what is said of them at once, compiled or not, is what ``pipeline.core.ids`` says of each."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plain_kit import needs_compiled

from pipeline.core import keys
from pipeline.core.coded import Codes
from pipeline.core.ids import hex_ids, name_of, partition_of, person_of, session_id, visitor_key

ids = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1, max_size=20)
visitors = st.builds(visitor_key, ids, ids | st.just(""), ids)


@pytest.fixture
def _compiled() -> None:
    needs_compiled()


@pytest.mark.usefixtures("_compiled")
def test_the_tests_see_the_compiled_ones() -> None:
    assert keys.halves is not keys.halves_of_each
    assert keys.session_ids is not keys.session_ids_by_each


@pytest.mark.usefixtures("_compiled")
def test_the_compiler_was_let_optimise() -> None:
    """CFLAGS in the environment replace those of Python, for all compiled modules: is -O among them?"""
    from pipeline.core import keying

    assert keying.IS_OPTIMIZED


@given(st.lists(visitors | ids | st.just(""), max_size=20))
@example(["shop\x1fvann", "shop\x1fvbob", "shoppe\x1fvann", "sho\x1fvann", "", "shop", "\x1f", "\x1fvann"])
def test_sites_and_what_stands_after_them(some: list[str]) -> None:
    halves = [(site, rest) for site, _, rest in (key.partition("\x1f") for key in some)]
    for way in (keys.halves, keys.halves_of_each):
        assert list(zip(*way(some), strict=True)) == halves


@pytest.mark.usefixtures("_compiled")
def test_neighbours_of_one_site_share_its_text() -> None:
    first, second = keys.halves(["shop\x1fvann", "shop\x1fvbob"])[0]
    assert first is second


@given(st.lists(visitors, max_size=20))
@example(["shop\x1fvann", "shop\x1fuann", "shop\x1fv", "läden\x1fvänn", "shop\x1fv日本"])
def test_names_in_session_ids(some: list[str]) -> None:
    assert keys.names(some) == keys.names_of_each(some) == [name_of(key) for key in some]


@given(st.lists(st.tuples(visitors, ids | st.just("")), max_size=20))
@example([("shop\x1fvann", ""), ("shop\x1fvann", "u1"), ("shop\x1fu1", ""), ("shop\x1fv日本", "")])
def test_whose_sessions_they_are(sessions: list[tuple[str, str]]) -> None:
    expected = [person_of(key, user) for key, user in sessions]
    for way in (keys.persons, keys.persons_of_each):
        assert list(zip(*way(sessions), strict=True)) == expected


def test_a_key_without_its_letter_is_none() -> None:
    for way in (keys.persons, keys.persons_of_each):
        with pytest.raises(IndexError):
            way([("shop", "")])


@given(st.lists(visitors | ids | st.just(""), max_size=20), st.integers(1, 256))
@example(["123456789", "", "läden"], 7)
def test_their_partitions(some: list[str], count: int) -> None:
    expected = [partition_of(key, count) for key in some]
    for way in (keys.partitions, keys.partitions_of_each):
        assert way(some, count).tolist() == expected


@given(
    st.lists(
        st.tuples(st.builds(visitor_key, ids, ids | st.just(""), ids), st.integers(0, 2**42)), max_size=20
    )
)
def test_the_ids_of_many_are_those_of_each(sessions: list[tuple[str, int]]) -> None:
    of, starts = [key for key, _ in sessions], np.array([start for _, start in sessions], np.int64)
    expected = [session_id(key, start) for key, start in sessions]
    for session_ids in (keys.session_ids, keys.session_ids_by_each):
        assert hex_ids(session_ids(Codes().of(of), starts)) == expected
