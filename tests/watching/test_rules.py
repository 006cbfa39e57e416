"""The rules: accepted by promtool, each alert seen firing and not firing, each with what a person needs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.collector.tally import Tally, TallyMetrics
from pipeline.disk_metrics import Disk
from pipeline.metrics import Metrics
from watching.tools import DEPLOY, ROOT, RULES, alerts, said_well

UNIT_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))


def test_the_configuration_is_accepted() -> None:
    said_well("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    said_well("promtool", "test", "rules", path)


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in alerts()}))
def test_each_alert_is_seen_firing_and_not_firing(name: str) -> None:
    fires = quiet = 0
    for path in UNIT_TESTS:
        for group in yaml.safe_load(path.read_text())["tests"]:
            if name not in group["name"].partition(":")[0].split(", "):
                continue
            for expected in group["promql_expr_test"]:
                is_there = any(f'"{name}"' in sample["labels"] for sample in expected.get("exp_samples", ()))
                fires += is_there
                quiet += not is_there
    assert fires
    assert quiet


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_each_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["labels"]["team"] in ("business", "operations")
    assert "for" in rule
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "threshold", "runbook_url"}
    assert len(notes["summary"]) < 140, "it must fit a phone's screen"
    runbook = (ROOT / notes["runbook_url"]).read_text()
    assert f"`{rule['alert']}`" in runbook
    assert all(f"## {part}" in runbook for part in ("What it means", "Look at", "Do", "It is over when"))


def test_every_runbook_belongs_to_an_alert_and_is_in_the_guide() -> None:
    pages = {f"docs/runbooks/{path.name}" for path in (ROOT / "docs/runbooks").glob("*.md")}
    assert pages == {rule["annotations"]["runbook_url"] for rule in alerts()}
    guide = (ROOT / "docs/watching.md").read_text()
    assert all(page.removeprefix("docs/") in guide for page in pages)
    assert all(f"`{rule['alert']}`" in guide for rule in alerts())


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    text = "".join(path.read_text() for path in RULES)
    asked = {name.removesuffix("_bucket") for name in re.findall(r"(?<![:\w])masir_\w+", text)}
    metrics = Metrics(version="1")
    metrics.register(TallyMetrics(Tally))
    metrics.register(Disk(ROOT))
    declared = set(re.findall(r"^# TYPE (\w+)", metrics.expose().decode(), re.MULTILINE))
    assert asked - declared == set()
