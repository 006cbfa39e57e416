"""Alertmanager's files: accepted by amtool, alerts go where they should, messages say what they should."""

import json
from pathlib import Path

import pytest

from watching.tools import DEPLOY, alerts, said_well

FOLDER = DEPLOY / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"
FILES = [CONFIG, *sorted((FOLDER / "examples").glob("*.yml"))]
TEMPLATES = FOLDER / "templates/*.tmpl"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_is_accepted(path: Path) -> None:
    said_well("amtool", "check-config", path)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_each_alert_goes_to_its_team(rule: dict[str, dict[str, str]]) -> None:
    labels = [f"{name}={value}" for name, value in rule["labels"].items()]
    routed = said_well("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert routed.split() == [rule["labels"]["team"]]


def rendered(template: str, tmp_path: Path, status: str = "firing", count: int = 1) -> str:
    alert = {
        "status": status,
        "labels": {"site": "shop"},
        "annotations": {
            "summary": "Visitors <leave>",
            "description": "Twice as many",
            "threshold": "Twice",
            "runbook_url": "docs/runbooks/x.md",
        },
        "startsAt": "2026-11-01T10:00:00Z",
        "endsAt": "2026-11-01T11:30:00Z",
    }
    data = {"status": status, "alerts": [alert] * count, "commonLabels": {"severity": "critical"}}
    file = tmp_path / "data.json"
    file.write_text(json.dumps(data))
    text = f'{{{{ template "{template}" . }}}}'
    return said_well(
        "amtool", "template", "render", f"--template.glob={TEMPLATES}", f"--template.text={text}",
        f"--template.data={file}",
    )  # fmt: skip


def test_a_message_says_what_since_when_and_where_to_read_on(tmp_path: Path) -> None:
    assert rendered("masir.subject", tmp_path).strip() == "Now: Visitors <leave>"
    text = rendered("masir.text", tmp_path)
    assert "Twice as many" in text
    assert "Since 2026-11-01 10:00 UTC. What to do: docs/runbooks/x.md" in text


def test_several_alerts_are_one_message(tmp_path: Path) -> None:
    assert rendered("masir.subject", tmp_path, count=3).strip() == "Now: Visitors <leave> (and 2 more)"
    assert rendered("masir.text", tmp_path, count=3).count("Twice as many") == 3


def test_the_end_is_told_with_its_time(tmp_path: Path) -> None:
    assert rendered("masir.subject", tmp_path, "resolved").strip() == "Over: Visitors <leave>"
    assert "Over since 2026-11-01 11:30 UTC: Visitors <leave>" in rendered("masir.text", tmp_path, "resolved")
    assert "Since 2026" not in rendered("masir.text", tmp_path, "resolved")


def test_mail_is_html(tmp_path: Path) -> None:
    assert "<h3>Visitors" in rendered("masir.html", tmp_path)
