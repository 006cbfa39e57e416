"""Whatever bytes come: each input ends as exactly one outcome, and nothing raises, stops or vanishes.

Through sessionizer, journeys and counters, to the rows that the store would take; no IO. A failure names the
seed, which gives the same inputs again.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import chain, count
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.counters import Counters
from agents.hop import Context, Hop
from agents.journeys import Journeys
from agents.sessionizer import Sessionizer
from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.models import Models, load
from pipeline.core.sessionizer import SessionRules
from pipeline.demo.simulator import load_stream, simulate
from pipeline.metrics import Metrics
from pipeline.model_files import builtin_texts
from pipeline.settings import Settings
from pipeline.store.blocks import read_blocks
from pipeline.transport.batch import Batch
from pipeline.transport.rows import Rows, rows_of
from schemas import topics

from .kit import T0
from .noise import FIELDS, inputs

INPUTS = 100_000
PER_EXAMPLE = 200
FEW = 10  # at a time; fewer: the test after it
NOW_MS = T0 + 40 * 86_400_000
ROWS = {"hit_rows": "hits", "sessions": "sessions", "session_moves": "session_moves", "ledger": "ledger"}
ROWS |= {name: name for name in ("transitions", "dead_letters", "counters")}


class NewJournal:
    """Of a partition that begins: nothing to restore, and what is added is numbered and dropped."""

    next = 0

    def entries(self) -> Iterator[tuple[int, bytes]]:
        return iter(())

    def add(self, entry: bytes | None, *, needed: int) -> None:
        assert needed <= self.next
        self.next += entry is not None


class InMemory:
    """A transport of one partition per topic: what is sent is there once it is committed."""

    def __init__(self) -> None:
        self.topics: dict[str, list[bytes]] = {}
        self._states: dict[str, Rows] = {}
        self._journals: dict[str, NewJournal] = {}
        self._sent: list[tuple[str, Sequence[bytes]]] = []

    def unit(self) -> "InMemory":
        assert not self._sent
        return self

    def state(self, store: str, partition: int) -> Rows:
        assert partition == 0
        return self._states.setdefault(store, rows_of(store, None))

    def journal(self, store: str, partition: int) -> NewJournal:
        assert partition == 0
        return self._journals.setdefault(store, NewJournal())

    def partitions(self, topic: str) -> int:
        return 1

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        assert partition == 0
        self._sent.append((topic, values))

    async def commit(self, batches: Sequence[Batch], stores: Sequence[Any], *, now_ms: int) -> None:
        for topic, values in self._sent:
            self.topics.setdefault(topic, []).extend(values)
        self._sent.clear()

    def stored(self) -> dict[str, Any]:
        """Topic -> what the store would be given of it."""
        return {topic: read_blocks(table, self.topics.get(topic, [])) for topic, table in ROWS.items()}


def _rows(table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))


def _batch(topic: str, values: Sequence[bytes], first: int, *, is_final: bool) -> Batch:
    offsets = range(first, first + len(values))
    return Batch(
        topic, 0, values, [NOW_MS] * len(values), offsets, offsets.stop, True, is_final, lambda _: None
    )


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Nothing here waits for anything."""
    with pytest.raises(StopIteration):
        work.send(None)


class Hops:
    """Judges inputs with new hops each time."""

    def __init__(self) -> None:
        self._models: Models = load(builtin_texts())

    def judge(self, raws: Sequence[bytes], *, batch: int, bounded: bool) -> InMemory:
        """``batch``: hits at a time. ``bounded``: as a file, to the end; else live, a second a batch."""
        memory = InMemory()
        now = count(NOW_MS, 1_000)
        context = Context(memory, Metrics(version="0"), lambda: next(now))
        sessionizer = Sessionizer(context, self._rules(bounded=bounded))
        for first in range(0, len(raws), batch):
            part = raws[first : first + batch]
            _finish(sessionizer.handle(_batch(topics.HITS.name, part, first, is_final=False)))
        _finish(sessionizer.handle(_batch(topics.HITS.name, [], len(raws), is_final=bounded)))
        settings = Settings()
        followers: list[tuple[str, Hop]] = [
            (topics.EVIDENCE.name, Journeys(context, self._models)),
            (topics.FACTS.name, Counters(context, pane_ms=settings.pane_ms)),
        ]
        for topic, hop in followers:
            if values := memory.topics.get(topic, []):
                _finish(hop.handle(_batch(topic, values, 0, is_final=False)))
        return memory

    def _rules(self, *, bounded: bool) -> IntakeRules:
        return IntakeRules(
            sessions=SessionRules(lateness_ms=None if bounded else 3_600_000),
            goals=Goals(),
            models=self._models,
            classifier=Classifier(),
            session_update_ms=None if bounded else 1_000,
        )


@pytest.fixture(scope="module")
def hops() -> Hops:
    return Hops()


@pytest.fixture(scope="module")
def hits() -> list[bytes]:
    """Good ones of many kinds."""
    shop, _ = simulate(seed=5, customers=60, start_ms=T0, days=30)
    return list(chain(shop, load_stream(seed=5, visitors=20, hits=200, start_ms=T0)))


def _check(memory: InMemory, judged: int) -> set[int]:
    """One outcome each; returns the offsets of the dead letters."""
    tables = memory.stored()
    for table in tables.values():
        table.validate(full=True)
    stored = _rows(tables["hit_rows"], "source_offset", "outcome")
    dead = [offset for (offset,) in _rows(tables["dead_letters"], "offset")]
    ledger = {
        (site, outcome): hits for site, outcome, hits in _rows(tables["ledger"], "site", "outcome", "hits")
    }
    duplicates = sum(hits for (_, outcome), hits in ledger.items() if outcome == "duplicate")
    assert len({offset for offset, _ in stored} | {*dead}) == len(stored) + len(dead)
    assert len(stored) + len(dead) + duplicates == judged == sum(ledger.values())
    said = _rows(tables["sessions"], "session_id", "hits", "withdrawn")
    sessions = {name: 0 if withdrawn else hits for name, hits, withdrawn in said}
    assert sum(outcome == "sessionized" for _, outcome in stored) == sum(sessions.values())
    return set(dead)


@pytest.mark.hypothesis
def test_a_hundred_thousand_inputs(hops: Hops, hits: list[bytes]) -> None:
    judged = 0

    @settings(max_examples=INPUTS // PER_EXAMPLE, deadline=None)
    @given(seed=st.integers(0, 2**63), batch=st.integers(FEW, PER_EXAMPLE), bounded=st.booleans())
    def judge(seed: int, batch: int, *, bounded: bool) -> None:
        nonlocal judged
        some = inputs(seed, PER_EXAMPLE, hits)
        dead = _check(hops.judge([raw for raw, _ in some], batch=batch, bounded=bounded), len(some))
        assert not any(some[offset][1] for offset in dead), "a good hit became a dead letter"
        judged += len(some)

    judge()
    assert judged >= INPUTS


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_good: dict[str, st.SearchStrategy[Any]] = {
    "site": st.sampled_from(["shop", "blog"]),
    "event": st.sampled_from(["page_view", "purchase", "survey_response", "refund"]),
    "visitor_id": st.sampled_from(["ann", "bob"]),
    "time": st.integers(T0, T0 + 7_200_000),
}
_hit = st.fixed_dictionaries(
    {name: st.one_of(good, good, good, _json) for name, good in _good.items()},
    optional={name: _json for name in FIELDS if name not in _good},
)
_encodable: Callable[[Any], bytes] = msgspec.json.Encoder().encode


@settings(max_examples=300, deadline=None)
@given(raws=st.lists(_hit | _json | st.binary(max_size=60), max_size=12), batch=st.integers(1, 12))
def test_any_values_in_any_fields(hops: Hops, raws: list[Any], batch: int) -> None:
    """As above, but hypothesis makes a failure small."""
    encoded = [raw if isinstance(raw, bytes) else _encodable(raw) for raw in raws]
    for bounded in (True, False):
        _check(hops.judge(encoded, batch=batch, bounded=bounded), len(encoded))
