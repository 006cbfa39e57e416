"""What ``masir doctor`` takes for well, and what not."""

import json
from pathlib import Path

import pytest

from tests.cli.kit import masir, small_file

pytestmark = pytest.mark.usefixtures("nowhere")


def _doctor() -> dict[str, dict[str, str]]:
    said = json.loads(masir("doctor", "--data", "d", "--json").output)
    return {one["what"]: one for one in said["findings"]}


def test_the_doctor_is_well_after_an_erasure_and_where_hits_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert masir("process", small_file(), "--data", "d").exit_code == 0
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
