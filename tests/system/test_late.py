"""Late hits that bridge closed sessions correct everything that was said of them, live."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.running import Running, export, wait_for

from .kit import (
    differing,
    gauge,
    hit,
    now_ms,
    post,
    process,
    verify,
    write_lines,
)

SETTINGS: dict[str, object] = {
    "session_timeout_seconds": 2,
    "out_of_orderness_seconds": 0.2,
    "allowed_lateness_seconds": 900,
    "session_update_seconds": 0.2,
}
ALL = {"site": "shop", "channel": "all", "window": "1h"}
STEPS = (
    "SELECT person_id, from_stage, to_stage FROM transitions WHERE model = 'classic5'"
    " ORDER BY person_id, time, ordinal"
)


class Said(NamedTuple):
    """What rows and gauges say at one moment."""

    sessions: list[dict[str, Any]]
    counters: dict[str, Any]
    steps: list[tuple[str, ...]]
    gauges: dict[str, float | None]


class Bridged(NamedTuple):
    """What was said before the late hits, after them, and after a restart."""

    before: Said
    after: Said
    restarted: Said
    views: dict[str, bytes]
    data: Path
    hits: list[bytes]


def _visits(start: int) -> list[bytes]:
    """Of Ann and Bob: the blog, and 3.5 s later the home page; Ann orders."""
    shop = "https://shop.example"
    hits = []
    for name in ("ann", "bob"):
        hits += [
            hit(name, start, url=f"{shop}/blog/beans"),
            hit(name, start + 3_500, url=f"{shop}/"),
            hit(name, start + 3_600, url=f"{shop}/"),
        ]
    order = {"event": "purchase", "revenue": 20, "currency": "EUR", "order_id": "o1"}
    return [*hits, hit("ann", start + 3_700, **order)]


def _bridges(start: int) -> list[bytes]:
    """Between the two visits of each, within 2 s of both."""
    pricing = "https://shop.example/pricing"
    return [hit(name, start + 1_800, url=pricing) for name in ("ann", "bob")]


def _said(running: Running, *, sessions: int) -> Said:
    """Once so many sessions are closed and counted, and nothing else is."""
    running.wait_for_value("SELECT countIf(closed) * 1000 + count() FROM sessions", sessions * 1001)
    running.wait_for_value("SELECT sum(sessions) FROM counters", sessions)
    wait_for(partial(_is_gauged, running, sessions), f"the gauge says {sessions} sessions")
    names = ("masir_sessions_closed", "masir_bounce_ratio", "masir_conversion_ratio")
    stages = ("awareness", "consideration", "purchase")
    return Said(
        running.query(
            "SELECT visitor_id, hits, bounced, converted FROM sessions ORDER BY visitor_id, start_time"
        ),
        running.query("SELECT sum(counted) AS counted, sum(bounced) AS bounced FROM counters")[0],
        [tuple(row.values()) for row in running.query(STEPS)],
        {name: gauge(running, name, **ALL) for name in names}
        | {
            stage: gauge(running, "masir_stage_persons", site="shop", model="classic5", stage=stage)
            for stage in stages
        },
    )


def _is_gauged(running: Running, sessions: int) -> bool:
    closed = gauge(running, "masir_sessions_closed", **ALL)
    return (closed, gauge(running, "masir_active_sessions", site="shop")) == (sessions, 0)


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridged]:
    data = tmp_path_factory.mktemp("late") / "data"
    start = now_ms()
    visits, bridges = _visits(start), _bridges(start)
    with Running(data, **SETTINGS) as running:
        post(running, *visits)
        before = _said(running, sessions=4)
        post(running, *bridges)
        after = _said(running, sessions=2)
        views = export(data)
        running.kill()
        running.start()
        yield Bridged(before, after, _said(running, sessions=2), views, data, visits + bridges)


def test_sessions_merge(bridged: Bridged) -> None:
    def of(name: str, *sessions: tuple[int, int]) -> list[dict[str, Any]]:
        converted = int(name == "ann")
        *first, last = sessions
        rows = [
            {"visitor_id": name, "hits": hits, "bounced": bounced, "converted": 0} for hits, bounced in first
        ]
        return [*rows, {"visitor_id": name, "hits": last[0], "bounced": last[1], "converted": converted}]

    assert bridged.before.sessions == of("ann", (1, 1), (3, 0)) + of("bob", (1, 1), (2, 0))
    assert bridged.after.sessions == of("ann", (5, 0)) + of("bob", (4, 0))


def test_transitions_are_taken_back_and_made(bridged: Bridged) -> None:
    assert bridged.before.steps == [
        ("ann", "", "awareness"),
        ("ann", "awareness", "purchase"),
        ("bob", "", "awareness"),
    ]
    assert bridged.after.steps == [
        ("ann", "", "awareness"),
        ("ann", "awareness", "consideration"),
        ("ann", "consideration", "purchase"),
        ("bob", "", "awareness"),
        ("bob", "awareness", "consideration"),
    ]


def test_counters_and_gauges_follow(bridged: Bridged) -> None:
    assert bridged.before.counters == {"counted": 4, "bounced": 2}
    assert bridged.after.counters == {"counted": 2, "bounced": 0}
    assert bridged.before.gauges == {
        "masir_sessions_closed": 4,
        "masir_bounce_ratio": 0.5,
        "masir_conversion_ratio": 0.25,
        "awareness": 1,
        "consideration": None,
        "purchase": 1,
    }
    assert bridged.after.gauges == {
        "masir_sessions_closed": 2,
        "masir_bounce_ratio": 0,
        "masir_conversion_ratio": 0.5,
        "awareness": 0,
        "consideration": 1,
        "purchase": 1,
    }


def test_a_restart_says_the_same(bridged: Bridged) -> None:
    assert bridged.restarted == bridged.after


def test_views_are_those_of_a_file_with_all_hits(bridged: Bridged, tmp_path: Path) -> None:
    process(tmp_path / "data", write_lines(tmp_path / "hits.ndjson", bridged.hits), **SETTINGS)
    assert differing(bridged.views, export(tmp_path / "data")) == {}


def test_batch_agrees_while_it_runs(bridged: Bridged) -> None:
    assert verify(bridged.data, **SETTINGS)["agrees"]
