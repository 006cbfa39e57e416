"""Windows cut by segments: what a session adds where, what a correction takes back, and bounded labels."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.counters import Counters, Gauges
from pipeline.core.session import CONTEXT, SEGMENTS, context_of
from pipeline.core.windows import PANE_MS, sum_segments, sum_sessions
from pipeline.metrics import Metrics
from pipeline.segment_metrics import MOST_VALUES
from pipeline.settings import SettingsError, load
from schemas.counter import Facts
from schemas.session import SessionFact

T0 = 1_767_268_800_000
Found = dict[tuple[str, frozenset[str]], float]


def session(device: str = "desktop", country: str = "IR", sign: int = 1, **changes: int) -> SessionFact:
    words = dict.fromkeys(CONTEXT, "") | {"device": device, "country": country}
    values: dict[str, Any] = {
        "duration_ms": 0,
        "counted": True,
        "bounced": False,
        "converted": False,
        "revenue_micros": 5,
    } | changes
    return SessionFact("shop", "direct", T0, context=context_of(list(words.values())), sign=sign, **values)


def measured(*facts: SessionFact, dimensions: tuple[str, ...] = ("device",)) -> Counters:
    counters = Counters(dict[bytes, bytes]().get)
    found = sum_segments(facts, PANE_MS, {name: SEGMENTS[name] for name in dimensions})
    counters.apply([Facts("sessionizer-0", T0, sessions=sum_sessions(facts, PANE_MS), measures=found)], 1)
    return counters


def exposed(*snapshots: Gauges, metrics: Metrics | None = None) -> Found:
    """Those by segment of the last 24 hours: (metric, labels but for the window) -> value."""
    metrics = metrics or Metrics(version="1", clock=lambda: 0.0)
    for partition, gauges in enumerate(snapshots):
        metrics.publish(partition, gauges)
    families = text_string_to_metric_families(metrics.expose().decode())
    return {
        (one.name.removeprefix("masir_segment_"), frozenset(one.labels.values()) - {"24h"}): one.value
        for family in families
        for one in family.samples
        if one.labels.get("window") == "24h" and one.name.startswith("masir_segment_")
    }


def test_each_segment_has_its_sessions_and_its_ratios() -> None:
    counters = measured(
        session("mobile", bounced=1), session("mobile", duration_ms=3000, converted=1), session("desktop")
    )
    mobile, desktop = frozenset(("shop", "device", "mobile")), frozenset(("shop", "device", "desktop"))
    found = exposed(counters.snapshot())
    assert {name: found[name, mobile] for name, labels in found if labels == mobile} == {
        "sessions_closed": 2, "bounce_ratio": 0.5, "conversion_ratio": 0.5, "session_duration_seconds": 1.5,
    }  # fmt: skip
    assert found["sessions_closed", desktop] == 1


def test_a_correction_takes_the_old_one_from_its_own_segment() -> None:
    counters = measured(session("mobile"), session("mobile", sign=-1), session("tablet"))
    assert {labels for _, labels in exposed(counters.snapshot())} == {frozenset(("shop", "device", "tablet"))}


def test_dimensions_are_beside_each_other_and_each_holds_all_sessions() -> None:
    counters = measured(session("mobile", "IR"), session("mobile", ""), dimensions=("device", "country"))
    found = exposed(counters.snapshot())
    said = {labels - {"shop"}: value for (name, labels), value in found.items() if name == "sessions_closed"}
    assert said == {
        frozenset(("device", "mobile")): 2,
        frozenset(("country", "IR")): 1,
        frozenset(("country", "unknown")): 1,
    }


def test_without_the_setting_nothing_is_sent_and_no_sample_is_there() -> None:
    assert load({}).window_segments == ()
    assert exposed(measured(session(), dimensions=()).snapshot()) == {}


def test_the_most_frequent_values_keep_their_names_the_rest_is_other_and_a_name_stays() -> None:
    facts = [session(f"d{n:02}") for n in range(MOST_VALUES + 3) for _ in range(n + 1)]
    metrics = Metrics(version="1", clock=lambda: 0.0)
    first = exposed(measured(*facts).snapshot(), metrics=metrics)
    named = {labels - {"shop", "device"} for name, labels in first if name == "sessions_closed"}
    assert named == {frozenset({f"d{n:02}"}) for n in range(3, MOST_VALUES + 3)} | {frozenset({"other"})}
    assert first["sessions_closed", frozenset(("shop", "device", "other"))] == 1 + 2 + 3
    later = exposed(measured(*[session("d00")] * 99).snapshot(), metrics=metrics)
    assert later["sessions_closed", frozenset(("shop", "device", "other"))] == 99


def test_partitions_are_summed_before_a_ratio_is_made() -> None:
    one, other = measured(session(bounced=1)), measured(session(), session(), session())
    found = exposed(one.snapshot(), other.snapshot())
    assert found["bounce_ratio", frozenset(("shop", "device", "desktop"))] == 0.25


def test_measures_of_segments_make_no_counter_rows_and_no_channel() -> None:
    counters = measured(session())
    assert list(counters.snapshot().sites["shop"].windows) == ["all", "direct"]


def test_the_setting_takes_the_dimensions_there_are() -> None:
    assert load({"MASIR_WINDOW_SEGMENTS": "device, os"}).window_segments == ("device", "os")
    with pytest.raises(SettingsError, match="window_segments"):
        load({"MASIR_WINDOW_SEGMENTS": "campaign"})


def test_the_documentation_has_them_all() -> None:
    documented = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = {f"masir_segment_{name}" for name, _ in exposed(measured(session()).snapshot())}
    assert len(names) == 4
    assert {name for name in names if f"`{name}`" not in documented} == set()
