"""Hits that cannot be read: each is one dead letter with its reason, kept with its bytes, and can be brought in."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.running import Running

from .bad_hits import BAD, FAR_FUTURE, UNUSUAL, Bad
from .kit import ask, hit, masir, now_ms, post, process, verify, write_lines

QUICK = {"session_update_seconds": 0.2}
WITHOUT_SITE = [
    b'{"event":"page_view","visitor_id":"%d","time":1790812800000,"url":"https://shop.example/"}' % n
    for n in range(3)
]


def _letters(data: Path) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = json.loads(masir("dlq", "ls", "--data", data, "--json").stdout)["letters"]
    return letters


def _outcomes(data: Path) -> dict[str, int]:
    rows = ask(data, "SELECT outcome, sum(hits) AS hits FROM ledger GROUP BY outcome")
    return {row["outcome"]: row["hits"] for row in rows}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """All of them in one file: the summary, and the data."""
    directory = tmp_path_factory.mktemp("bad")
    raws = [bad.raw for bad in (*BAD, FAR_FUTURE)]
    path = write_lines(directory / "hits.ndjson", [*raws, *UNUSUAL])
    return process(directory / "data", path), directory / "data"


def test_each_has_one_outcome(file: tuple[dict[str, Any], Path]) -> None:
    summary, data = file
    assert summary["dead_letter"] == len(BAD) + 1
    assert summary["sessionized"] == len(UNUSUAL)
    assert summary["received"] == len(BAD) + 1 + len(UNUSUAL)
    assert _outcomes(data) == {"dead_letter": len(BAD) + 1, "sessionized": len(UNUSUAL)}
    assert verify(data)["agrees"]


def test_each_letter_names_reason_and_field_and_keeps_the_bytes(file: tuple[dict[str, Any], Path]) -> None:
    found = {
        base64.b64decode(letter["raw"]): (letter["reason"], letter["field"]) for letter in _letters(file[1])
    }
    expected = {bad.raw[: 64 * 1024]: (bad.reason.value, bad.field) for bad in (*BAD, FAR_FUTURE)}
    assert found == expected


def test_show_and_ls_find_one(file: tuple[dict[str, Any], Path]) -> None:
    data = file[1]
    (letter,) = [one for one in _letters(data) if base64.b64decode(one["raw"]) == b"hello"]
    shown = masir("dlq", "show", letter["id"], "--data", data).stdout.decode()
    assert "b'hello'" in shown
    assert "reason: not_json" in shown
    of_reason = masir("dlq", "ls", "--data", data, "--reason", "not_object", "--json").stdout
    assert len(json.loads(of_reason)["letters"]) == sum(bad.reason == "not_object" for bad in BAD)
    assert b"no dead letter nothing" in masir("dlq", "show", "nothing", "--data", data, code=2).stderr


class Live:
    """A running pipeline that has been sent everything, one hit a request, and all of them in an array."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.answers = {bad.name: post(running, bad.raw) for bad in BAD}
        self.good = [post(running, raw) for raw in UNUSUAL]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Running(tmp_path_factory.mktemp("live") / "data", **QUICK) as running:
        sent = Live(running)
        running.wait_until_drained()
        yield sent


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_the_sender_is_told(live: Live, bad: Bad) -> None:
    answer = live.answers[bad.name]
    assert answer["accepted"] == 0
    assert [(one["index"], one["reason"], one["field"]) for one in answer["refused"]] == [
        (0, bad.reason, bad.field)
    ]


def test_what_the_collector_refused_are_the_dead_letters(live: Live) -> None:
    assert all(answer == {"accepted": 1, "refused": []} for answer in live.good)
    rows = live.running.query("SELECT reason, field, count() AS letters FROM dead_letters GROUP BY ALL")
    found = {(row["reason"], row["field"]): row["letters"] for row in rows}
    assert found == Counter((bad.reason.value, bad.field) for bad in BAD)
    ledger = live.running.query(
        "SELECT outcome, sum(hits) AS hits FROM ledger GROUP BY outcome ORDER BY outcome"
    )
    assert ledger == [
        {"outcome": "dead_letter", "hits": len(BAD)},
        {"outcome": "sessionized", "hits": len(UNUSUAL)},
    ]


def test_letters_are_brought_in_while_it_runs(live: Live) -> None:
    """Twice, and they count once."""
    running = live.running
    post(running, *WITHOUT_SITE)
    running.wait_for_value("SELECT countIf(field = 'site' AND reason = 'missing_field') FROM dead_letters", 5)
    arguments = (
        "dlq",
        "replay",
        "--reason",
        "missing_field",
        "--set",
        "site=late",
        "--set",
        f"time={now_ms()}",
    )
    said = json.loads(masir(*arguments, "--data", running.data, "--json").stdout)
    readable = len(WITHOUT_SITE) + sum(bad.name == "no site" for bad in BAD)
    assert said["replayed"] == readable
    running.wait_for_value("SELECT count() FROM hits WHERE site = 'late'", readable)
    again = json.loads(masir(*arguments, "--data", running.data, "--json").stdout)
    assert again == {
        "letters": said["letters"] - readable,
        "replayed": 0,
        "still_unreadable": said["still_unreadable"],
    }
    running.wait_until_drained()
    assert running.value("SELECT count() FROM hits WHERE site = 'late'") == readable


def test_letters_are_brought_in_when_nothing_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process(
        data, write_lines(tmp_path / "hits.ndjson", [*WITHOUT_SITE, b"hello", hit("ann", 1_790_812_800_000)])
    )
    for round_ in range(2):
        said = json.loads(masir("dlq", "replay", "--set", "site=shop", "--data", data, "--json").stdout)
        assert said == {"letters": 4 - 3 * round_, "replayed": 3 - 3 * round_, "still_unreadable": 1}
    assert _outcomes(data) == {"dead_letter": 4, "sessionized": 4}
    assert [letter["came_in"] for letter in _letters(data)].count(1) == 3
    assert verify(data)["agrees"]
