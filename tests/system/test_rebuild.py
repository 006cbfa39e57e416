"""``masir rebuild``: a stage model changes, and everything is as if it had always been so; also after ``kill -9``."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.running import Running, environment, export, wait_for
from pipeline.transport.rebuilds import RebuildRequests

from .kit import T0, differing, hit, masir, metrics, now_ms, post, process, verify, write_lines

LABELS = 'labels = { en = "E", fa = "ف", ar = "ع" }'
DAY_MS = 86_400_000
GAUGE = "masir_stage_persons"
DIES_AT_THE_END = """
import os, signal, sys
from pipeline.cli import main
from pipeline.store import history
history.difference = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def model(path: Path, *, keen: bool) -> Path:
    """Two stages, or another between them."""
    stages = {"seen": 'event = ["page_view"]\nfallback = true', "bought": 'event = ["purchase"]'}
    if keen:
        stages = {"seen": stages["seen"], "keen": 'event = ["scroll"]', "bought": stages["bought"]}
    text = f'name = "tiny"\ndescription = "d"\nbackward = "always"\nlapse_days = 30\n{LABELS}\n'
    for stage, rule in stages.items():
        text += f'[[stage]]\nid = "{stage}"\n{LABELS}\n[[stage.rule]]\nname = "rule"\n{rule}\n'
    path.write_text(text)
    return path


def hits_of(visitors: range) -> list[bytes]:
    """Views, scrolls, which no model looked at before, orders by whom a visitor turns out to be, and returns."""
    found: list[tuple[int, bytes]] = []

    def did(number: int, event: str, after_ms: int, **fields: Any) -> None:
        at, visitor = T0 + number * 1000 + after_ms, f"v{number}"
        known = {"event": event, "hit_id": f"{number}{event}{after_ms}", "url": "https://a.example/"}
        found.append((at, hit(visitor, at, **known | fields)))

    for number in visitors:
        did(number, "page_view", 0)
        if number % 2:
            did(number, "scroll", 60_000)
        if number % 3 == 0:
            did(number, "purchase", 120_000, revenue=9.5, order_id=f"o{number}", user_id=f"u{number // 6}")
        if number % 5 == 0:
            did(number, "page_view", 40 * DAY_MS)
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def rebuilt(data: Path, *more: str, **settings: object) -> dict[str, Any]:
    done = masir("rebuild", "--model", "tiny", "--data", data, "--json", *more, settings=settings)
    receipt: dict[str, Any] = json.loads(done.stdout)
    return receipt


def gauges(running: Running) -> dict[tuple[str, str], float]:
    found = [(dict(labels), value) for (name, labels), value in metrics(running).items() if name == GAUGE]
    return {(labels["model"], labels["stage"]): value for labels, value in found if value}


def persons_in_stages(running: Running) -> dict[tuple[str, str], float]:
    latest = "SELECT model, argMax(to_stage, (time, ordinal)) AS stage FROM transitions GROUP BY site, model, person_id"
    rows = running.query(
        f"SELECT model, stage, count() AS persons FROM ({latest}) WHERE stage != '' GROUP BY ALL"
    )
    return {(row["model"], row["stage"]): row["persons"] for row in rows}


@pytest.fixture
def history(tmp_path: Path) -> list[bytes]:
    return hits_of(range(60))


@pytest.fixture
def expected(tmp_path: Path, history: list[bytes]) -> Path:
    """The data directory of one who has had the new model from the beginning."""
    data = tmp_path / "expected"
    process(
        data, write_lines(tmp_path / "hits.ndjson", history), models=model(tmp_path / "new.toml", keen=True)
    )
    return data


def test_a_changed_model_beside_a_running_masir_and_after_kill_9(
    tmp_path: Path, history: list[bytes], expected: Path
) -> None:
    file, data = model(tmp_path / "tiny.toml", keen=False), tmp_path / "data"
    process(data, write_lines(tmp_path / "first.ndjson", history[:70]), models=file)
    live = {"models": file, "allowed_lateness_seconds": 86_400}
    with Running(data, **live) as running:
        post(running, *history[70:93])  # of the first 90 it makes 30
        running.wait_until_drained()
        model(file, keen=True)
        for name, why in (
            ("classic5", b"tiny: changed too"),
            ("tinny", b"tinny: no such model; there is buyer3"),
        ):
            assert why in masir("rebuild", "--model", name, "--data", data, settings=live, code=2).stderr
        with ThreadPoolExecutor(1) as beside:
            asked = beside.submit(rebuilt, data, **live)
            for one in history[93:100]:
                post(running, one)
                time.sleep(0.2)
            receipt = asked.result()
        assert not receipt["refused"]
        assert receipt["by_model"]["tiny"] > 30
        post(running, *history[100:])
        running.wait_until_drained()
        running.kill()
    killed = subprocess.run(
        [sys.executable, "-c", DIES_AT_THE_END, "rebuild", "--model", "tiny", "--data", str(data)],
        env=environment({"models": model(file, keen=False)}),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -9, killed.stderr
    model(file, keen=True)
    refused = masir("process", "-", "--data", data, settings={"models": file}, code=2)
    assert b"masir rebuild" in refused.stderr
    with Running(data, models=file) as running:
        wait_for(lambda: not RebuildRequests(data).pending(), "what had begun is brought to its end")
        running.wait_until_drained()
        wait_for(lambda: gauges(running) == persons_in_stages(running), "gauges say what the rows say")
        running.stop()
    assert verify(data, models=file)["agrees"]
    mine, its = export(data), export(expected)
    assert differing({"transitions": mine["transitions"]}, {"transitions": its["transitions"]}) == {}
    assert differing({"persons": mine["persons"]}, {"persons": its["persons"]}) == {}


def test_hits_that_are_gone_count_as_far_as_they_are_remembered(tmp_path: Path) -> None:
    file, data, settings = (
        model(tmp_path / "tiny.toml", keen=False),
        tmp_path / "data",
        {"ttl_days": "hits=30"},
    )
    fifty, ten = now_ms() - 50 * DAY_MS, now_ms() - 10 * DAY_MS

    def journey(visitor: str, *events: tuple[str, int]) -> list[bytes]:
        return [
            hit(visitor, at, event=event, hit_id=f"{visitor}{event}{at}", url="https://a.example/")
            for event, at in events
        ]

    old = journey("gone", ("page_view", fifty), ("scroll", fifty + 1), ("purchase", fifty + 2))
    new = journey("here", ("page_view", ten), ("scroll", ten + 1), ("purchase", ten + 2))
    process(data, write_lines(tmp_path / "hits.ndjson", old + new), models=file, **settings)
    before = export(data)["transitions"].splitlines()
    model(file, keen=True)
    receipt = rebuilt(data, "--from-what-is-kept", models=file, **settings)
    assert (receipt["hits"], receipt["remembered"]) == (3, 3), "another model had looked at the scroll"
    assert fifty < receipt["hits_since"] < ten
    after = export(data)["transitions"].splitlines()
    lines = [line.split(b"\t") for line in after if b"\ttiny\t" in line]
    stages = {visitor: [line for line in lines if visitor in line] for visitor in (b"gone", b"here")}
    assert [sum(b"keen" in line for line in of_one) for of_one in stages.values()] == [2, 2], (
        "into it and out of it"
    )
    others = [[line for line in rows if b"\ttiny\t" not in line] for rows in (before, after)]
    assert others[0] == others[1] != [], "models that are the same lose nothing"
