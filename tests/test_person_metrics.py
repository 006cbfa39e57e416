"""Gauges of surveys, e-mails, stages left and signs of leaving, from facts to what Prometheus reads."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.counters import STAGE, Counters
from pipeline.metrics import Metrics
from schemas.counter import Facts, Measure, RiskFact
from schemas.transition import TransitionFact

T0 = 1_767_225_600_000
HOUR = 3_600_000
ANSWERS = {
    "masir_csat_score": 7.0,
    "masir_csat_satisfied_ratio": 0.5,
    "masir_ces_score": 3.0,
    "masir_nps_score": 25.0,
    "masir_email_open_ratio": 0.4,
    "masir_email_machine_open_ratio": 0.2,
    "masir_email_click_ratio": 0.1,
    "masir_email_complaint_ratio": 0.05,
}
SURVEYS = ("csat", "ces", "nps")
FACTS = [
    Measure("shop", "csat", T0, [1, 9_000_000, 1, 0]),
    Measure("shop", "csat", T0, [1, 5_000_000, 0, 0]),
    Measure("shop", "ces", T0, [1, 3_000_000, 0, 1]),
    Measure("shop", "nps", T0, [4, 30_000_000, 2, 1]),
    Measure("shop", "email", T0, [20, 8, 4, 2, 3, 1]),
]


def exposed(counters: Counters, metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    metrics.publish(0, counters.snapshot())
    families = text_string_to_metric_families(metrics.expose().decode())
    return {(s.name, frozenset(s.labels.values())): s.value for family in families for s in family.samples}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1", clock=lambda: 0.0)


def test_figures_of_a_window_and_what_left_it(metrics: Metrics) -> None:
    counters = Counters({}.get)
    counters.apply([Facts("sessionizer-0", T0, measures=FACTS)], 1)
    found = exposed(counters, metrics)
    for name, value in ANSWERS.items():
        assert found[name, frozenset(("shop", "5m"))] == pytest.approx(value), name
    answers = {
        measure: found["masir_survey_answers", frozenset(("shop", measure, "5m"))] for measure in SURVEYS
    }
    assert answers == {"csat": 2, "ces": 1, "nps": 4}
    counters.apply([Facts("sessionizer-0", T0 + HOUR)], 2)
    found = exposed(counters, metrics)
    assert {name for name in ANSWERS if (name, frozenset(("shop", "1h"))) in found} == set()
    assert found["masir_nps_score", frozenset(("shop", "24h"))] == 25.0
    assert found["masir_survey_answers", frozenset(("shop", "nps", "1h"))] == 0
    assert ("masir_survey_answers", frozenset(("shop", "email", "24h"))) not in found


def test_what_is_taken_back_is_gone(metrics: Metrics) -> None:
    counters = Counters({}.get)
    counters.apply([Facts("sessionizer-0", T0, measures=FACTS[:2])], 1)
    counters.apply(
        [Facts("persons-0", None, measures=[Measure("shop", "csat", T0, [-1, -5_000_000, 0, 0])])], 2
    )
    assert exposed(counters, metrics)["masir_csat_score", frozenset(("shop", "24h"))] == 9.0


def test_measures_make_no_counter_rows_and_no_channel(metrics: Metrics) -> None:
    counters = Counters({}.get)
    assert counters.apply([Facts("sessionizer-0", T0, measures=FACTS)], 1) == []
    assert list(counters.snapshot().sites["shop"].windows) == ["all"]


def test_measures_survive_a_restart(metrics: Metrics) -> None:
    counters = Counters({}.get)
    counters.apply([Facts("sessionizer-0", T0, measures=FACTS, risks=[RiskFact("shop", "overdue", 2, 3)])], 1)
    state = dict(counters.changes())
    found = exposed(Counters(state.get), metrics)
    assert found["masir_email_open_ratio", frozenset(("shop", "24h"))] == 0.4
    assert found["masir_churn_risk_persons", frozenset(("shop", "overdue"))] == 2
    assert ("masir_churn_signals_total", frozenset(("shop", "overdue"))) not in found


def test_persons_at_risk_come_and_go_and_signals_only_rise(metrics: Metrics) -> None:
    counters = Counters({}.get)
    seen = []
    metrics.publish(0, counters.snapshot())
    for persons, raised in ((2, 2), (-1, 0), (-1, -1), (1, 1), (0, 1)):
        counters.apply([Facts("persons-0", None, risks=[RiskFact("shop", "leaving", persons, raised)])], 1)
        found = exposed(counters, metrics)
        seen.append([found[name, frozenset(("shop", "leaving"))] for name in _CHURN])
    assert seen == [[2, 2], [1, 2], [0, 2], [1, 2], [1, 3]]


_CHURN = ("masir_churn_risk_persons", "masir_churn_signals_total")


def test_exits_of_a_stage_are_a_part_of_those_who_were_in_it_in_the_window(metrics: Metrics) -> None:
    """Six are there, three moved on and one left; of a stage that everybody has left nobody is there."""
    counters = Counters({}.get)
    steps = [
        TransitionFact("shop", "buyer3", "", "decision", 10),
        TransitionFact("shop", "buyer3", "decision", "", 4),
    ]
    left = [
        Measure("shop", f"{STAGE}buyer3{STAGE}decision", T0, [3, 1]),
        Measure("shop", f"{STAGE}buyer3{STAGE}awareness", T0, [0, 2]),
    ]
    counters.apply([Facts("journeys-0", T0, transitions=steps, measures=left)], 1)
    found = exposed(counters, metrics)
    for stage, ratio in (("decision", 0.1), ("awareness", 1.0)):
        assert found["masir_stage_exit_ratio", frozenset(("shop", "buyer3", stage, "1h"))] == ratio


def test_sites_without_a_name_of_their_own_are_summed_before_ratios_are_made() -> None:
    metrics = Metrics(version="1", sites=[f"named-{n}" for n in range(50)], clock=lambda: 0.0)
    counters = Counters({}.get)
    facts = [
        Measure(site, "csat", T0, [1, score, 0, 0]) for site, score in (("a", 2_000_000), ("b", 4_000_000))
    ]
    counters.apply([Facts("sessionizer-0", T0, measures=facts)], 1)
    assert exposed(counters, metrics)["masir_csat_score", frozenset(("other", "24h"))] == 3.0


def test_the_documentation_has_them_all() -> None:
    documented = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = {*ANSWERS, *_CHURN, "masir_stage_exit_ratio"}
    assert {name for name in names if f"`{name}`" not in documented} == set()
