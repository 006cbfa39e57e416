"""What the journeys tell the counters is cut into messages that a broker takes, and nothing of it is lost."""

from collections import Counter

import pytest

from pipeline.core import sliced, stage_facts
from pipeline.core.ids import partition_of
from pipeline.core.stage_facts import facts_of

CHANGES = {("a", "m", "", "one"): 2, ("b", "m", "one", "two"): -1, ("a", "m", "one", "two"): 0}
STAYS = {("a", "m", "one", minute * 60_000, minute % 2 == 0): minute for minute in range(8)} | {
    ("b", "m", "two", 0, True): -3
}


@pytest.mark.parametrize("most", [1, 3, 100])
def test_messages_of_any_size_say_the_same(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(stage_facts, "MOST_OF_A_MESSAGE", most)
    moved: Counter[tuple[str, str, str, str]] = Counter()
    stayed: Counter[tuple[str, str, int, bool]] = Counter()
    for target, facts in facts_of(CHANGES, STAYS, "journeys-1", 4):
        assert (facts.source, facts.watermark) == ("journeys-1", None)
        assert len(facts.measures) <= most
        assert {partition_of(one.site, 4) for one in (*facts.transitions, *facts.measures)} == {target}
        moved.update(
            {(one.site, one.model, one.from_stage, one.to_stage): one.count for one in facts.transitions}
        )
        for one in facts.measures:
            stays, exits = one.sums
            stayed[one.site, one.name, one.time, bool(exits)] += stays + exits
    assert moved == {key: net for key, net in CHANGES.items() if net}
    expected = {
        (site, f"\x1f{model}\x1f{stage}", minute, is_exit): net
        for (site, model, stage, minute, is_exit), net in STAYS.items()
        if net
    }
    assert stayed == expected


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (4, [3, 1])])
def test_slices(monkeypatch: pytest.MonkeyPatch, count: int, sizes: list[int]) -> None:
    monkeypatch.setattr(sliced, "MOST_OF_A_MESSAGE", 3)
    found = list(sliced.sliced(range(count)))
    assert [len(one) for one in found] == sizes
    assert [item for one in found for item in one] == list(range(count))
