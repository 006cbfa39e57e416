"""The published figures of real data, through ``masir process``."""

from pathlib import Path
from typing import Any

import pytest

from .kit import BUNDLED, DATA, ask, process, verify

WIKIPEDIA = BUNDLED / "wikipedia_sessions.csv.gz"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="module")
def ecom(directory: Path) -> tuple[dict[str, Any], Path]:
    data = directory / "ecom"
    return process(data, DATA / "ecom.csv.gz", mapping="ecom.toml"), data


def test_readers_of_wikipedia(directory: Path) -> None:
    """Exactly 30:00.000 after the last hit is the same session."""
    summary = process(directory / "wiki", WIKIPEDIA, mapping="wikipedia.toml")
    assert summary["received"] == summary["accepted"] == summary["sessionized"] == 63_524
    assert summary["sessions"] == 22_224
    assert summary["bounced"] == 13_138
    assert round(summary["mean_duration_seconds"], 3) == 272.385
    assert verify(directory / "wiki")["agrees"]


def test_a_timeout_shorter_by_a_millisecond_cuts_two_pairs(directory: Path) -> None:
    summary = process(
        directory / "shorter", WIKIPEDIA, mapping="wikipedia.toml", session_timeout_seconds=1_799.999
    )
    assert summary["sessions"] == 22_226


def test_shop_has_its_own_sessions(ecom: tuple[dict[str, Any], Path]) -> None:
    """The same hits are together in our sessions and in the shop's."""
    summary, data = ecom
    assert (summary["received"], summary["sessions"], summary["conversions"]) == (31_106, 3_605, 470)
    own = "JSONExtractString(props, 'session_id')"
    (counts,) = ask(
        data,
        f"SELECT uniqExact(session_id) AS ours, uniqExact({own}) AS theirs,"
        f" uniqExact(session_id, {own}) AS both, countIf(session_id = '' OR {own} = '') AS without FROM hits",
    )
    assert counts == {"ours": 3_605, "theirs": 3_605, "both": 3_605, "without": 0}


def test_server_of_nasa(directory: Path) -> None:
    summary = process(directory / "nasa", DATA / "nasa_19950801.tsv.gz", mapping="nasa.toml")
    assert (summary["received"], summary["sessions"]) == (30_969, 2_989)
