"""What ``masir doctor`` takes for well, and what not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main

NOON = 1_767_268_800_000
HITS = (
    {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON},
    {"site": "shop", "event": "purchase", "visitor_id": "ann", "time": NOON + 1, "revenue": 10.5},
    {"site": "blog", "event": "page_view", "visitor_id": "bob", "time": NOON},
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MASIR_CONFIG", "MASIR_DATA", "MASIR_PARTITIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def masir(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def _hits() -> str:
    """A small file."""
    Path("hits.ndjson").write_text("\n".join(map(json.dumps, HITS)))
    return "hits.ndjson"


def _doctor() -> dict[str, dict[str, str]]:
    said = json.loads(masir("doctor", "--data", "d", "--json").output)
    return {one["what"]: one for one in said["findings"]}


def test_the_doctor_is_well_after_an_erasure_and_where_hits_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert masir("process", _hits(), "--data", "d").exit_code == 0
    assert _doctor()["ledger"]["says"] == "3 hits accepted or bots', 3 stored"
    assert masir("erase", "--site", "shop", "--visitor", "ann", "--data", "d").exit_code == 0
    found = _doctor()["ledger"]
    assert found["says"] == "1 hits accepted or bots', 1 stored, without 1 sites of which persons were erased"
    assert found["advice"] == ""
    monkeypatch.setenv("MASIR_TTL_DAYS", "hits=30")
    assert _doctor()["ledger"]["says"].endswith("kept for 30 days")


def test_the_doctor_reads_the_registry_of_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASIR_SITES", "sites.toml")
    Path("sites.toml").write_text("[shop]\n[blog]\n")
    assert _doctor()["sites"] == {"what": "sites", "says": "2 in the registry", "advice": ""}
    Path("sites.toml").write_text("[shop]\norigin = 3\n")
    found = _doctor()["sites"]
    assert "sites.toml:2" in found["says"]
    assert "masir sites check" in found["advice"]
