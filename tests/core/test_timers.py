"""One timer a key, to the second: against a naive dict, and the edges."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.timers import Timers


def test_a_timer_fires_in_the_second_in_which_it_is_due_and_then_is_gone() -> None:
    timers = Timers()
    timers.add("a", 5_700)
    assert timers.pop(4_999) == []
    assert timers.pop(5_000) == ["a"], "up to a second early"
    assert timers.pop(9_999) == []
    assert len(timers) == 0


def test_the_earlier_of_two_holds_and_a_later_one_is_not_added() -> None:
    timers = Timers()
    timers.add("a", 9_000)
    timers.add("a", 5_000)
    timers.add("a", 7_000)
    assert len(timers) == 1
    assert timers.pop(5_000) == ["a"]
    assert timers.pop(20_000) == []


def test_a_place_that_an_earlier_timer_left_behind_does_not_fire_a_later_one() -> None:
    timers = Timers()
    timers.add("a", 9_000)
    timers.add("a", 5_000)
    assert timers.pop(5_000) == ["a"]
    timers.add("a", 12_000)
    assert timers.pop(9_000) == []
    assert timers.pop(12_000) == ["a"]


def test_none_asks_for_nothing() -> None:
    timers = Timers()
    timers.add("a", None)
    assert len(timers) == 0
    assert timers.pop(20_000) == []


def test_a_key_may_be_added_again_after_it_fired() -> None:
    timers = Timers()
    timers.add("a", 1_000)
    timers.pop(1_000)
    timers.add("a", 500)
    assert timers.pop(1_000) == ["a"]


_keys = st.sampled_from(["a", "b", "c"])
_step = st.tuples(st.just("add"), _keys, st.integers(0, 20_000)) | st.tuples(
    st.just("pop"), st.just(""), st.integers(0, 20_000)
)


@given(st.lists(_step, max_size=40))
def test_as_a_dict_of_the_earliest_would_do(steps: list[tuple[str, str, int]]) -> None:
    timers, naive = Timers(), dict[str, int]()
    for what, key, ms in steps:
        second = ms // 1_000
        if what == "add":
            timers.add(key, ms)
            naive[key] = min(naive.get(key, second), second)
        else:
            expected = [k for k, due in naive.items() if due <= second]
            assert sorted(timers.pop(ms)) == sorted(expected)
            for k in expected:
                del naive[k]
        assert len(timers) == len(naive)
