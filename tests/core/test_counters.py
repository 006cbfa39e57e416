"""The counters against a naive oracle: a list of facts, summed up anew for every question."""

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.core.counters import ALL, Counters, Gauges
from pipeline.core.windows import WINDOWS, WindowSums, sum_sessions
from schemas.counter import CounterRow, Facts
from schemas.session import SessionFact
from schemas.transition import TransitionFact

PANE = 10_000
T0 = 1_700_000_000_000 // PANE * PANE
DAY = 86_400_000

SITES = st.sampled_from(["shop", "wiki"])
CHANNELS = st.sampled_from(["direct", "email"])
# near each other, near the edges of panes and windows, and far away
OFFSETS = st.one_of(
    st.integers(-40_000, 40_000),
    st.builds(
        lambda width, by: width + by,
        st.sampled_from([*WINDOWS.values(), 600_000]),
        st.integers(-20_000, 20_000),
    ),
    st.integers(-3 * DAY, 3 * DAY),
)
SESSIONS = st.builds(
    SessionFact,
    SITES,
    CHANNELS,
    OFFSETS.map(T0.__add__),
    st.integers(0, 1000),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(-100, 100),
    st.sampled_from([1, 1, -1]),
)
TRANSITIONS = st.builds(
    TransitionFact,
    SITES,
    st.just("buyer3"),
    st.sampled_from(["", "awareness", "decision"]),
    st.sampled_from(["awareness", "decision"]),
    st.sampled_from([1, -1]),
)


class Told(NamedTuple):
    """One message, and the sessions that are summed up in it."""

    facts: Facts
    sessions: list[SessionFact]


def told_of(source: str, watermark: int | None, sessions: list[SessionFact], *others: Any) -> Told:
    return Told(Facts(source, watermark, sum_sessions(sessions, PANE), *others), sessions)


FACTS = st.builds(
    told_of,
    st.sampled_from(["sessionizer-0", "sessionizer-1", "journeys-0"]),
    st.one_of(st.none(), OFFSETS.map(T0.__add__)),
    st.lists(SESSIONS, max_size=6),
    st.lists(TRANSITIONS, max_size=3),
    st.dictionaries(SITES, st.integers(-2, 2)),
)


def sums_of(sessions: list[SessionFact]) -> tuple[int, ...]:
    return (
        sum(s.sign for s in sessions),
        sum(s.sign * s.counted for s in sessions),
        sum(s.sign * s.bounced for s in sessions),
        sum(s.sign * s.converted for s in sessions),
        sum(s.sign * s.duration_ms for s in sessions),
        sum(s.sign * s.revenue_micros for s in sessions),
    )


def window_sums(sessions: list[SessionFact], watermark: int | None) -> tuple[WindowSums, ...]:
    if watermark is None:
        return (WindowSums(),) * len(WINDOWS)
    now = watermark - watermark % PANE
    return tuple(
        WindowSums(
            *sums_of([s for s in sessions if now - width < s.close_time - s.close_time % PANE <= now])[:5]
        )
        for width in WINDOWS.values()
    )


def persons_of(transitions: list[TransitionFact]) -> dict[tuple[str, str], int]:
    stages = {(t.model, stage) for t in transitions for stage in (t.from_stage, t.to_stage) if stage}
    return {
        (model, stage): sum(t.count for t in transitions if (t.model, t.to_stage) == (model, stage))
        - sum(t.count for t in transitions if (t.model, t.from_stage) == (model, stage))
        for model, stage in stages
    }


class Oracle:
    """Everything it was ever told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.watermark: int | None = None

    def tell(self, batch: list[Told]) -> None:
        self.told += batch
        by_source: dict[str, list[int]] = {}
        for facts, _ in self.told:
            if facts.watermark is not None:
                by_source.setdefault(facts.source, []).append(facts.watermark)
        if by_source:
            least = min(map(max, by_source.values()))
            self.watermark = least if self.watermark is None else max(self.watermark, least)

    def sessions(self, site: str, channel: str = ALL) -> list[SessionFact]:
        every = [s for told in self.told for s in told.sessions if s.site == site]
        return every if channel == ALL else [s for s in every if s.channel == channel]

    def check(self, gauges: Gauges) -> None:
        assert gauges.watermark == self.watermark
        for site in ("shop", "wiki"):
            transitions = [t for facts, _ in self.told for t in facts.transitions if t.site == site]
            if site not in gauges.sites:
                assert not any(any(sums) for sums in window_sums(self.sessions(site), self.watermark))
                assert not transitions
                continue
            state = gauges.sites[site]
            assert state.active == sum(facts.active.get(site, 0) for facts, _ in self.told)
            assert state.persons == persons_of(transitions)
            assert state.transitions == {
                (t.model, t.from_stage, t.to_stage): sum(
                    u.count for u in transitions if (u.from_stage, u.to_stage) == (t.from_stage, t.to_stage)
                )
                for t in transitions
            }
            for channel in (ALL, "direct", "email"):
                expected = window_sums(self.sessions(site, channel), self.watermark)
                assert state.windows.get(channel, (WindowSums(),) * len(WINDOWS)) == expected

    def panes(self) -> dict[tuple[str, str, int], tuple[int, ...]]:
        """Those that are not zero."""
        keys = {(s.site, s.channel, s.close_time // PANE) for told in self.told for s in told.sessions}
        panes = {
            (site, channel, pane * PANE): sums_of(
                [s for s in self.sessions(site, channel) if s.close_time // PANE == pane]
            )
            for site, channel, pane in keys
        }
        return {key: sums for key, sums in panes.items() if any(sums)}


class CountersMachine(RuleBasedStateMachine):
    """Any interleaving of facts, take-backs, watermarks, commits, failed commits and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[bytes, bytes] = {}
        self.rows: dict[tuple[str, str, int], CounterRow] = {}
        self.oracle = Oracle()
        self.counters = Counters(self.store.get)
        self.version = 0

    @rule(batch=st.lists(FACTS, min_size=1, max_size=4))
    def batch_is_committed(self, batch: list[Told]) -> None:
        self.version += 1
        rows = self.counters.apply([told.facts for told in batch], self.version)
        assert len({(row.site, row.channel, row.pane_start) for row in rows}) == len(rows)
        self.rows.update({(row.site, row.channel, row.pane_start): row for row in rows})
        self.store.update(self.counters.changes())
        self.oracle.tell(batch)

    @rule(batch=st.lists(FACTS, max_size=2), packed=st.booleans())
    def commit_fails(self, batch: list[Told], packed: bool) -> None:
        self.counters.apply([told.facts for told in batch], self.version + 1)
        if packed:
            list(self.counters.changes())
        self.counters = Counters(self.store.get)

    @rule()
    def restart(self) -> None:
        before = self.counters.snapshot()
        self.counters = Counters(self.store.get)
        assert self.counters.snapshot() == before
        assert list(self.counters.snapshot().sites) == list(before.sites)

    @invariant()
    def gauges_are_right(self) -> None:
        self.oracle.check(self.counters.snapshot())

    @invariant()
    def newest_rows_are_right(self) -> None:
        newest = {
            key: (row.sessions, row.counted, row.bounced, row.converted, row.duration_ms, row.revenue_micros)
            for key, row in self.rows.items()
        }
        assert {key: sums for key, sums in newest.items() if any(sums)} == self.oracle.panes()


TestCounters = CountersMachine.TestCase
TestCounters.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(told=st.lists(FACTS, max_size=8), data=st.data())
def test_order_and_batching_of_the_facts_do_not_matter(told: list[Told], data: st.DataObject) -> None:
    """For sources that all have seen a hit; until then the order decides who holds the watermark."""
    first = [Facts(source, T0 - 3 * DAY) for source in ("sessionizer-0", "sessionizer-1", "journeys-0")]
    in_order, one_by_one = Counters({}.get), Counters({}.get)
    in_order.apply([*first, *(one.facts for one in told)], 1)
    for version, facts in enumerate([*first, *(one.facts for one in data.draw(st.permutations(told)))]):
        one_by_one.apply([facts], version)
    assert in_order.snapshot() == one_by_one.snapshot()


@given(sessions=st.lists(SESSIONS, max_size=20), data=st.data())
def test_however_sessions_are_summed_up_on_the_way_the_counters_say_the_same(
    sessions: list[SessionFact], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sessions)), max_size=4)))
    whole, parts = Counters({}.get), Counters({}.get)
    whole.apply([told_of("s", T0, sessions).facts], 1)
    for begin, end in pairwise([0, *cuts, len(sessions)]):
        parts.apply([told_of("s", T0, sessions[begin:end]).facts], 1)
    assert whole.snapshot() == parts.snapshot()


def test_a_site_of_which_only_a_day_old_session_is_known_is_shown_whenever_the_watermark_came() -> None:
    """As the property above has found."""
    old = [SessionFact("wiki", "direct", T0 - 2 * DAY, 0, False, False, False, 0)]
    at_once, after = Counters({}.get), Counters({}.get)
    at_once.apply([told_of("s", T0, old).facts], 1)
    for sessions in ([], old):
        after.apply([told_of("s", T0, sessions).facts], 1)
    assert at_once.snapshot() == after.snapshot()


def test_of_many_sites_only_those_that_changed_are_shown_anew() -> None:
    store: dict[bytes, bytes] = {}
    counters = Counters(store.get)

    def apply(version: int, watermark: int, *sites: str) -> Gauges:
        sessions = [SessionFact(site, "direct", T0, 0, False, False, False, 0) for site in sites]
        counters.apply([told_of("s", watermark, sessions).facts], version)
        store.update(counters.changes())
        return counters.snapshot()

    before = apply(1, T0, *(f"site-{number}" for number in range(100)))
    assert before.since(None) == before.sites
    assert list(apply(2, T0, "site-7").since(before)) == ["site-7"]
    later = apply(3, T0 + WINDOWS["5m"])
    assert later.since(before) == Counters(store.get).snapshot().sites, "all have left a window"
