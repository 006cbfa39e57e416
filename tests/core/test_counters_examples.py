"""The counters at each boundary, by name."""

import pytest
from msgspec.structs import replace

from pipeline.core.counters import ALL, Counters
from pipeline.core.windows import WINDOWS, WindowSums, sum_sessions
from schemas.counter import CounterRow, Facts
from schemas.session import SessionFact
from schemas.transition import TransitionFact

PANE = 10_000
T0 = 1_700_000_000_000 // PANE * PANE
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Store(dict[bytes, bytes]):
    """What a unit of work keeps."""

    def commit(self, counters: Counters) -> None:
        self.update(counters.changes())

    def restart(self) -> Counters:
        return Counters(self.get)


def closed(at: int, channel: str = "direct", **changes: object) -> SessionFact:
    fact = SessionFact("shop", channel, at, 0, counted=True, bounced=False, converted=False, revenue_micros=0)
    return replace(fact, **changes)


def facts(watermark: int | None, *sessions: SessionFact, source: str = "sessionizer-0") -> Facts:
    return Facts(source, watermark, sum_sessions(sessions, PANE))


def in_windows(counters: Counters, channel: str = ALL) -> list[int]:
    """Sessions closed in 5m, 1h, 24h."""
    windows = counters.snapshot().sites["shop"].windows
    return [sums.sessions for sums in windows.get(channel, (WindowSums(),) * 3)]


@pytest.fixture
def counters() -> Counters:
    return Counters({}.get)


@pytest.mark.parametrize(
    ("name", "position"), [(name, position) for position, name in enumerate(WINDOWS)], ids=list(WINDOWS)
)
def test_a_pane_exactly_w_old_is_out_one_pane_younger_is_in(
    counters: Counters, name: str, position: int
) -> None:
    counters.apply([facts(T0, closed(T0 + PANE - 1))], 1)
    counters.apply([facts(T0 + WINDOWS[name] - 1)], 2)
    assert in_windows(counters)[position] == 1
    counters.apply([facts(T0 + WINDOWS[name])], 3)
    assert in_windows(counters)[position] == 0


def test_the_current_partial_pane_is_in_and_the_next_is_not(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0), closed(T0 + PANE - 1), closed(T0 + PANE))], 1)
    assert in_windows(counters) == [2, 2, 2]
    counters.apply([facts(T0 + PANE - 1)], 2)
    assert in_windows(counters) == [2, 2, 2]
    counters.apply([facts(T0 + PANE)], 3)
    assert in_windows(counters) == [3, 3, 3]


def test_a_session_falls_into_the_pane_of_its_close_time(counters: Counters) -> None:
    rows = counters.apply([facts(T0, closed(T0 - 1), closed(T0), closed(T0 + PANE - 1))], 7)
    assert {(row.pane_start, row.sessions) for row in rows} == {(T0 - PANE, 1), (T0, 2)}


def test_rows_carry_all_sums_of_a_pane_once_per_batch(counters: Counters) -> None:
    bounce = closed(T0, bounced=True, duration_ms=0)
    order = closed(T0 + 1, converted=True, duration_ms=90_000, revenue_micros=5_000_000)
    unseen = closed(T0 + 2, counted=False, duration_ms=10)
    assert counters.apply([facts(T0, bounce), facts(T0, order, unseen)], 3) == [
        CounterRow("shop", "direct", T0, PANE, 3, 2, 1, 1, 90_010, 5_000_000, 3)
    ]
    assert counters.apply([facts(T0, replace(order, sign=-1))], 4) == [
        CounterRow("shop", "direct", T0, PANE, 2, 1, 1, 0, 10, 0, 4)
    ]


def test_what_comes_and_goes_within_a_batch_makes_no_row(counters: Counters) -> None:
    assert counters.apply([facts(T0, closed(T0)), facts(T0, closed(T0, sign=-1))], 1) == []


def test_a_pane_that_fell_back_to_zero_gets_a_row_of_zeros(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0, duration_ms=5))], 1)
    assert counters.apply([facts(T0, closed(T0, duration_ms=5, sign=-1))], 2) == [
        CounterRow("shop", "direct", T0, PANE, 0, 0, 0, 0, 0, 0, 2)
    ]
    assert in_windows(counters) == [0, 0, 0]


def test_take_back_reaches_only_the_windows_the_pane_is_still_in(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0), closed(T0))], 1)
    counters.apply([facts(T0 + 10 * MINUTE)], 2)
    assert in_windows(counters) == [0, 2, 2]
    counters.apply([facts(None, closed(T0, sign=-1))], 3)
    assert in_windows(counters) == [0, 1, 1]
    counters.apply([facts(T0 + 2 * HOUR, closed(T0, sign=-1))], 4)
    assert in_windows(counters) == [0, 0, 0]


def test_take_back_after_a_day_changes_the_row_and_no_window(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0), closed(T0))], 1)
    counters.apply([facts(T0 + 30 * DAY, closed(T0 + 30 * DAY))], 2)
    rows = counters.apply([facts(None, closed(T0, sign=-1))], 3)
    assert [(row.pane_start, row.sessions) for row in rows] == [(T0, 1)]
    assert in_windows(counters) == [1, 1, 1]


def test_an_old_pane_is_known_after_a_restart_and_after_it_left_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.core.windows.HOT_CHUNKS", 1)
    store = Store()
    counters = store.restart()
    for day in range(5):
        counters.apply([facts(T0 + day * DAY, closed(T0 + day * DAY))], day)
        store.commit(counters)
    for another in (counters, store.restart()):
        rows = another.apply([facts(None, closed(T0, "email"), closed(T0))], 9)
        assert {(row.channel, row.sessions) for row in rows} == {("email", 1), ("direct", 2)}


def test_memory_holds_only_the_chunks_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.core.windows.HOT_CHUNKS", 10)
    store = Store()
    counters = store.restart()
    for step in range(500):
        counters.apply([facts(T0 + step * HOUR, closed(T0 + step * HOUR))], step)
        store.commit(counters)
    panes = counters._panes
    assert len(panes._hot) + len(panes._cold) < 40
    assert len(store) > 500


def test_a_late_session_enters_every_window_it_belongs_to(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0))], 1)
    counters.apply([facts(None, closed(T0 - 4 * MINUTE), closed(T0 - 6 * MINUTE), closed(T0 - 2 * HOUR))], 2)
    assert in_windows(counters) == [2, 3, 4]


def test_the_watermark_is_the_least_of_the_sources_that_saw_a_hit(counters: Counters) -> None:
    counters.apply([facts(None, source="sessionizer-1"), facts(T0 + HOUR, closed(T0))], 1)
    assert counters.watermark == T0 + HOUR
    counters.apply([facts(T0 + HOUR + 5, source="journeys-0"), facts(T0 + 2 * HOUR)], 2)
    assert counters.watermark == T0 + HOUR + 5


def test_no_source_has_a_watermark_nothing_is_in_a_window(counters: Counters) -> None:
    counters.apply([facts(None, closed(T0))], 1)
    assert counters.watermark is None
    assert in_windows(counters) == [0, 0, 0]
    counters.apply([facts(T0)], 2)
    assert in_windows(counters) == [1, 1, 1]


def test_the_epoch_is_a_watermark_too(counters: Counters) -> None:
    counters.apply([facts(0, closed(0))], 1)
    assert in_windows(counters) == [1, 1, 1]


def test_neighbours_leave_the_day_one_after_the_other(counters: Counters) -> None:
    ages = (0, 10 * MINUTE - PANE, 10 * MINUTE, 20 * MINUTE - PANE, 20 * MINUTE)
    start = T0 // (10 * MINUTE) * (10 * MINUTE)
    counters.apply([facts(start + HOUR, *(closed(start + age) for age in ages))], 1)
    left = []
    for age in ages:
        counters.apply([facts(start + age + DAY - 1)], 2)
        before = in_windows(counters)[2]
        counters.apply([facts(start + age + DAY)], 3)
        left.append((before, in_windows(counters)[2]))
    assert left == [(5, 4), (4, 3), (3, 2), (2, 1), (1, 0)]


def test_a_watermark_that_goes_back_is_not_believed(counters: Counters) -> None:
    counters.apply([facts(T0 + HOUR, closed(T0))], 1)
    counters.apply([facts(T0)], 2)
    assert counters.watermark == T0 + HOUR
    assert in_windows(counters) == [0, 0, 1]


def test_a_new_source_behind_holds_the_windows_but_does_not_take_them_back(counters: Counters) -> None:
    counters.apply([facts(T0 + HOUR, closed(T0 + HOUR))], 1)
    counters.apply([facts(T0, source="sessionizer-1")], 2)
    assert counters.watermark == T0 + HOUR
    counters.apply([facts(T0 + 3 * HOUR, closed(T0 + 3 * HOUR))], 3)
    assert in_windows(counters) == [1, 1, 1]
    counters.apply([facts(T0 + 3 * HOUR, source="sessionizer-1")], 4)
    assert in_windows(counters) == [1, 1, 2]


def test_a_watermark_at_the_end_of_time_empties_the_windows(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0), closed(T0 + 400 * DAY))], 1)
    counters.apply([facts((1 << 63) - 1)], 2)
    assert in_windows(counters) == [0, 0, 0]


def test_revenue_beyond_64_bits_wraps_and_comes_back(counters: Counters) -> None:
    big = closed(T0, revenue_micros=(1 << 63) - 1)
    (row,) = counters.apply([facts(T0, big, big, big)], 1)
    assert row.revenue_micros == (1 << 63) - 3
    assert dict(counters.changes())
    (row,) = counters.apply([facts(T0, replace(big, sign=-1), replace(big, sign=-1))], 2)
    assert row.revenue_micros == (1 << 63) - 1


def test_active_sessions_add_up_per_site(counters: Counters) -> None:
    counters.apply([Facts("sessionizer-0", T0, active={"shop": 3, "wiki": 1})], 1)
    counters.apply([Facts("sessionizer-1", T0, active={"shop": -1})], 2)
    sites = counters.snapshot().sites
    assert (sites["shop"].active, sites["wiki"].active) == (2, 1)


def test_persons_follow_transitions_and_their_take_backs(counters: Counters) -> None:
    enter = TransitionFact("shop", "buyer3", "", "awareness")
    advance = TransitionFact("shop", "buyer3", "awareness", "decision")
    back = TransitionFact("shop", "buyer3", "awareness", "decision", -1)
    counters.apply([Facts("journeys-0", T0, transitions=[enter, enter, advance])], 1)
    site = counters.snapshot().sites["shop"]
    assert site.persons == {("buyer3", "awareness"): 1, ("buyer3", "decision"): 1}
    assert site.transitions == {("buyer3", "", "awareness"): 2, ("buyer3", "awareness", "decision"): 1}
    counters.apply([Facts("journeys-0", T0, transitions=[back])], 2)
    site = counters.snapshot().sites["shop"]
    assert site.persons == {("buyer3", "awareness"): 2, ("buyer3", "decision"): 0}
    assert site.transitions[("buyer3", "awareness", "decision")] == 0


def test_a_person_who_left_the_journey_is_in_no_stage(counters: Counters) -> None:
    lapse = TransitionFact("shop", "buyer3", "awareness", "")
    counters.apply([Facts("journeys-0", T0, transitions=[lapse])], 1)
    assert counters.snapshot().sites["shop"].persons == {("buyer3", "awareness"): -1}


def test_ratios_are_made_of_sums_and_are_none_without_sessions(counters: Counters) -> None:
    site = "shop"
    counters.apply(
        [
            facts(T0, closed(T0, "email", bounced=True), closed(T0, "email", duration_ms=60_000)),
            facts(T0, closed(T0, "direct", converted=True), closed(T0, "direct", counted=False)),
        ],
        1,
    )
    every = counters.snapshot().sites[site].windows[ALL][0]
    assert every == WindowSums(sessions=4, counted=3, bounced=1, converted=1, duration_ms=60_000)
    assert (every.bounce_ratio, every.conversion_ratio, every.mean_duration_seconds) == (1 / 3, 1 / 4, 15.0)
    counters.apply([facts(T0 + HOUR)], 2)
    none = counters.snapshot().sites[site].windows[ALL][0]
    assert (none.bounce_ratio, none.conversion_ratio, none.mean_duration_seconds) == (None, None, None)


def test_a_snapshot_does_not_change_later(counters: Counters) -> None:
    counters.apply([facts(T0, closed(T0))], 1)
    before = counters.snapshot()
    counters.apply([facts(T0, closed(T0))], 2)
    assert before.sites["shop"].windows[ALL][0].sessions == 1


def test_state_of_other_panes_is_refused() -> None:
    store = Store()
    store.commit(store.restart())
    with pytest.raises(ValueError, match="stored counters have 10000"):
        Counters(store.get, pane_ms=5_000)


@pytest.mark.parametrize("pane_ms", [0, -10_000, 7_000, 600_000])
def test_panes_must_divide_the_windows(pane_ms: int) -> None:
    with pytest.raises(ValueError, match="divisors of 300000"):
        Counters({}.get, pane_ms=pane_ms)


def test_many_sessions_of_a_pane_are_one_record_and_what_is_taken_back_at_once_is_none() -> None:
    many = [closed(T0 + n, duration_ms=n, bounced=n == 0) for n in range(100)]
    other = closed(T0, channel="email", revenue_micros=5)
    again = [closed(T0 + PANE), replace(closed(T0 + PANE), sign=-1)]
    found = {(one.channel, one.time): one.sums for one in sum_sessions([*many, other, *again], PANE)}
    assert found == {("direct", T0): [100, 100, 1, 0, 4_950, 0], ("email", T0): [1, 1, 0, 0, 0, 5]}


def test_sums_of_revenue_wrap_as_the_counters_do() -> None:
    """A message holds 64 bits."""
    most = closed(T0, revenue_micros=(1 << 63) - 1)
    (one,) = sum_sessions([most, closed(T0, revenue_micros=1)], PANE)
    assert one.sums[5] == -(1 << 63)
