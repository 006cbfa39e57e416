"""The watermark: the bound, idleness, a clock set back, a restart, and never back."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.watermark import Watermark


def test_is_none_before_the_first_hit_also_when_idle() -> None:
    mark = Watermark(10_000)
    mark.on_batch_end(5)
    mark.on_idle(10**9)
    assert mark.value is None
    assert mark.max_event_ms is None


def test_is_the_greatest_event_time_less_the_bound() -> None:
    mark = Watermark(10_000)
    for time, value in ((50_000, 40_000), (49_999, 40_000), (50_001, 40_001), (0, 40_001)):
        mark.on_event(time)
        assert mark.value == value


def test_idle_moves_with_the_wall_clock_from_the_last_data() -> None:
    last_year, today = 1_000_000, 900_000_000
    mark = Watermark(10_000)
    mark.on_event(last_year)
    mark.on_batch_end(today)
    mark.on_idle(today + 1)
    assert mark.value == last_year - 10_000 + 1
    mark.on_idle(today + 60_000)
    assert mark.value == last_year - 10_000 + 60_000


def test_data_after_idleness_sets_the_anchor_anew() -> None:
    mark = Watermark(0)
    mark.on_event(1_000)
    mark.on_batch_end(0)
    mark.on_idle(500)
    mark.on_event(1_200)
    mark.on_batch_end(10_000)
    assert mark.value == 1_500
    mark.on_idle(10_001)
    assert mark.value == 1_501


def test_wall_clock_set_back_stops_it_until_it_has_caught_up() -> None:
    mark = Watermark(0)
    mark.on_event(1_000)
    mark.on_batch_end(100)
    mark.on_idle(150)
    for wall, value in ((50, 1_050), (149, 1_050), (151, 1_051)):
        mark.on_idle(wall)
        assert mark.value == value


def test_time_while_it_was_down_counts() -> None:
    mark = Watermark(0)
    mark.on_event(1_000)
    mark.on_batch_end(100)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(mark), type=Watermark)
    restored.on_idle(100 + 1_800_000)
    assert restored.value == 1_000 + 1_800_000


STEPS = st.lists(
    st.tuples(st.sampled_from(["event", "batch_end", "idle", "restart"]), st.integers(0, 10**6)), max_size=30
)


@given(st.integers(0, 5_000), STEPS)
def test_never_back_and_as_a_plain_reading_says(bound: int, steps: list[tuple[str, int]]) -> None:
    mark = Watermark(bound)
    said: list[int] = []  # every value it ever had to reach
    anchor: tuple[int, int] | None = None
    for what, number in steps:
        before = mark.value
        if what == "event":
            mark.on_event(number)
            said.append(number - bound)
        elif what == "batch_end":
            mark.on_batch_end(number)
            anchor = (max(said), number) if said else None
        elif what == "idle":
            mark.on_idle(number)
            if anchor is not None:
                said.append(anchor[0] + number - anchor[1])
        else:
            mark = msgspec.msgpack.decode(msgspec.msgpack.encode(mark), type=Watermark)
        assert mark.value == (max(said) if said else None)
        assert before is None or (mark.value is not None and mark.value >= before)


@given(st.lists(st.integers(0, 10**6), min_size=1), st.randoms(use_true_random=False))
def test_depends_on_the_set_of_hits(times: list[int], random) -> None:  # type: ignore[no-untyped-def]
    marks = []
    for order in (times, sorted(times, key=lambda _: random.random())):
        mark = Watermark(10)
        for time in order:
            mark.on_event(time)
        marks.append(mark)
    assert marks[0] == marks[1]
