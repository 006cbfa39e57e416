"""``masir verify`` agrees with what the pipeline made, and names each row that was tampered with."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.simulator import simulate

from .kit import T0, ask_all, masir, process, verify, write_lines, write_to_store

CHECKS = {"ledger", "sessions", "hits.session_id", "counters", "links", "attribution", "signals", "persons"}
CHECKS |= {f"transitions.{model}" for model in ("classic5", "digital8", "funnel4", "buyer3", "loyalty5")}


def test_the_demo(tmp_path: Path) -> None:
    """Its summary can be read, and batch agrees."""
    data = tmp_path / "demo"
    said = masir("demo", "--data", data).stdout.decode()
    for expected in (
        "22,224",
        "wiki",
        "shop",
        "classic5",
        "loyalty5",
        "organic_search",
        "masir sql",
        str(data),
    ):
        assert expected in said
    assert verify(data)["agrees"]
    assert b"not made by `masir demo`" in masir("demo", "--data", tmp_path, code=2).stderr


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What verify says of a store in which one row of each kind was changed; and those rows."""
    directory = tmp_path_factory.mktemp("tampered")
    data = directory / "data"
    hits, _ = simulate(seed=2, customers=30, start_ms=T0, days=10)
    process(data, write_lines(directory / "hits.ndjson", hits))
    before = verify(data)
    assert before["agrees"]
    assert before["checks"].keys() == CHECKS
    asked = {
        "sessions": "SELECT *, toUnixTimestamp64Milli(start_time) AS at FROM sessions ORDER BY at LIMIT 1",
        "counters": "SELECT *, toUnixTimestamp64Milli(pane_start) AS at FROM counters ORDER BY at LIMIT 1",
        "transitions": "SELECT * FROM transitions WHERE model = 'classic5' ORDER BY ALL DESC LIMIT 1",
        "signals": "SELECT * FROM signals WHERE state = 'raised' ORDER BY ALL LIMIT 1",
        "attribution": "SELECT * FROM attribution WHERE model = 'linear' ORDER BY ALL LIMIT 1",
        "links": "SELECT * FROM links WHERE user_id != '' ORDER BY ALL LIMIT 1",
    }
    found = [row for (row,) in ask_all(data, *asked.values())]
    session, pane, step, sign, credit, link = found
    write_to_store(
        data,
        "INSERT INTO sessions_rows SELECT * REPLACE (hits + 1 AS hits, version + 1 AS version) FROM sessions_rows"
        f" FINAL WHERE session_id = '{session['session_id']}'",
        "INSERT INTO counters_rows SELECT * REPLACE (bounced + 1 AS bounced, version + 1 AS version)"
        f" FROM counters_rows FINAL WHERE channel = '{pane['channel']}' AND pane_start = '{pane['pane_start']}'",
        "INSERT INTO transitions_rows SELECT * REPLACE ('advocacy' AS to_stage, version + 1 AS version)"
        f" FROM transitions_rows FINAL WHERE person_id = '{step['person_id']}' AND model = 'classic5'"
        f" AND time = '{step['time']}' AND ordinal = {step['ordinal']}",
        "INSERT INTO signals_rows SELECT * REPLACE (score + 0.5 AS score, version + 1 AS version) FROM signals_rows"
        f" FINAL WHERE person_id = '{sign['person_id']}' AND reason = '{sign['reason']}'"
        f" AND ordinal = {sign['ordinal']}",
        "INSERT INTO attribution_rows SELECT * REPLACE (linear_ppm + 1 AS linear_ppm, version + 1 AS version)"
        f" FROM attribution_rows FINAL WHERE person_id = '{credit['person_id']}' AND time = '{credit['time']}'"
        f" AND event = '{credit['event']}' AND touch_number = {credit['touch_number']}",
        "INSERT INTO links_rows SELECT * REPLACE ([since[1] + INTERVAL 1 MILLISECOND] AS since, version + 1 AS version)"
        f" FROM links_rows FINAL WHERE visitor_id = '{link['visitor_id']}'",
    )
    return verify(data), dict(zip(asked, found, strict=True))


def _difference(tampered: tuple[dict[str, Any], Any], check: str) -> dict[str, Any]:
    (found,) = [one for one in tampered[0]["differences"] if one["check"] == check]
    return dict(found)


def test_only_what_was_changed_differs(tampered: tuple[dict[str, Any], Any]) -> None:
    checks = {check: differing for check, differing in tampered[0]["checks"].items() if differing}
    assert not tampered[0]["agrees"]
    changed = ("sessions", "counters", "transitions.classic5", "signals", "attribution", "links")
    assert checks == dict.fromkeys(changed, 1) | {"persons": 2}


def test_a_session_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "sessions"), tampered[1]["sessions"]
    assert found["key"]["start_time"] == row["at"]
    assert (found["stream"], found["batch"]) == ({"hits": row["hits"] + 1}, {"hits": row["hits"]})


def test_a_counter_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "counters"), tampered[1]["counters"]
    assert (found["key"]["channel"], found["key"]["pane_start"]) == (row["channel"], row["at"])
    assert (found["stream"], found["batch"]) == ({"bounced": row["bounced"] + 1}, {"bounced": row["bounced"]})


def test_a_transition_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "transitions.classic5"), tampered[1]["transitions"]
    assert row["person_id"] in str(found["key"])
    assert "advocacy" in str(found)


def test_a_sign_of_leaving_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "signals"), tampered[1]["signals"]
    assert {name: found["key"][name] for name in ("person_id", "reason", "time")} == {
        name: row[name] for name in ("person_id", "reason", "time")
    }
    assert (found["stream"], found["batch"]) == ({"score": row["score"] + 0.5}, {"score": row["score"]})


def test_a_credit_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "attribution"), tampered[1]["attribution"]
    assert (found["key"]["person_id"], found["key"]["touch_number"]) == (
        row["person_id"],
        row["touch_number"],
    )
    right = round(row["credit"] * 1_000_000)
    assert (found["stream"], found["batch"]) == ({"linear_ppm": right + 1}, {"linear_ppm": right})


def test_a_link_is_named(tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    found, row = _difference(tampered, "links"), tampered[1]["links"]
    assert (found["key"]["visitor_id"], found["key"]["user_id"]) == (row["visitor_id"], row["user_id"])
    assert found["stream"]["since"] == found["batch"]["since"] + 1


def test_persons_who_are_told_of_wrongly_are_named(
    tampered: tuple[dict[str, Any], dict[str, dict[str, Any]]],
) -> None:
    """Nothing is stored of them but steps and signs: whose step or sign was changed shows it."""
    found = {
        one["key"]["person_id"]: one["stream"]
        for one in tampered[0]["differences"]
        if one["check"] == "persons"
    }
    step, sign = tampered[1]["transitions"], tampered[1]["signals"]
    assert found.keys() == {step["person_id"], sign["person_id"]}
    assert found[step["person_id"]]["highest_stages"]["classic5"] == "advocacy"
    assert found[sign["person_id"]] == {"churn_score": sign["score"] + 0.5}
