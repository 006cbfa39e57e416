"""What ``masir doctor`` takes for well, and what not."""

import json
import re
from pathlib import Path

import pytest

from pipeline.model_files import builtin_texts
from tests.cli.kit import HITS, masir, small_file

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


def test_the_doctor_says_whether_the_decoder_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_compiled, says in ((True, "compiled"), (False, "in Python: slower")):
        monkeypatch.setattr("pipeline.cli.doctor.IS_COMPILED", is_compiled)
        found = _doctor()["decoder"]
        assert found["says"].startswith(says)
        assert found["advice"] == ""


def test_the_doctor_reads_the_registry_of_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASIR_SITES", "sites.toml")
    Path("sites.toml").write_text("[shop]\n[blog]\n")
    assert _doctor()["sites"] == {"what": "sites", "says": "2 in the registry", "advice": ""}
    Path("sites.toml").write_text("[shop]\norigin = 3\n")
    found = _doctor()["sites"]
    assert "sites.toml:2" in found["says"]
    assert "masir sites check" in found["advice"]


def test_the_doctor_refuses_the_models_that_the_next_start_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert masir("process", small_file(), "--data", "d").exit_code == 0
    assert _doctor()["stage models"]["advice"] == ""
    Path("trial.toml").write_text(builtin_texts()["buyer3.toml"].replace('"buyer3"', '"trial"'))
    monkeypatch.setenv("MASIR_MODELS", "trial.toml")
    refused = masir("process", "hits.ndjson", "--data", "d")
    assert (refused.exit_code, "rebuild --model trial" in refused.output) == (2, True)
    found = _doctor()["stage models"]
    assert found["says"].startswith("trial: not as the data directory was made with")
    assert "masir rebuild --model trial" in found["advice"]
    assert masir("rebuild", "--model", "trial", "--data", "d").exit_code == 0
    assert _doctor()["stage models"]["advice"] == ""


def test_the_newest_hit_is_dated_in_a_unit_that_can_be_read() -> None:
    Path("old.ndjson").write_text(json.dumps(HITS[0] | {"received_time": "2020-01-01T00:00:00Z"}))
    assert masir("process", "old.ndjson", "--data", "d").exit_code == 0
    assert re.fullmatch(r"newest hit received \d,\d{3} days ago", _doctor()["clock"]["says"])


def test_a_store_that_is_somebody_elses_is_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d/clickhouse").mkdir(parents=True)
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != Path("d/clickhouse"))
    assert _doctor()["store"] == {
        "what": "store", "says": "d/clickhouse: Permission denied", "advice": "change its owner or its mode"
    }  # fmt: skip
