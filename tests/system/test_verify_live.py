"""``masir verify`` beside a running pipeline that takes hits: it does not cry wolf, and names what is wrong."""

import time
from pathlib import Path

import pytest

from bench.faults import SETTINGS, shop_hits
from bench.running import Running
from bench.senders import sending

from .kit import hit, now_ms, post, verify

HITS = 8_000  # of each of three shops
ENOUGH = 1_000  # for sessions with pauses
PAUSE_SECONDS = 0.2  # 100 hits a second: still being sent when the answer has come, also on a busy machine

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


def test_only_what_is_wrong_differs(tmp_path: Path) -> None:
    hits = [hit for seed in (3, 4, 5) for hit in shop_hits(HITS, seed=seed, now_ms=now_ms())]
    with Running(tmp_path / "data", **SETTINGS) as running:
        with sending(
            hits, lambda: running.url, connections=4, batch=5, pause_seconds=PAUSE_SECONDS
        ) as senders:
            while sum(sender.acknowledged for sender in senders) < ENOUGH:
                time.sleep(0.1)
            right = verify(running.data, **SETTINGS)
            assert any(sender.is_alive() for sender in senders)
        wrong = verify(running.data, **SETTINGS, bounce="ga4")
    assert right["differences"] == []
    assert {"sessions", "counters"} <= {check for check, rows in wrong["checks"].items() if rows}


def test_sessions_that_are_seldom_written_are_not_missed(tmp_path: Path) -> None:
    """Bob's is not written yet, and begins two minutes before the latest hit of its partition."""
    settings: dict[str, object] = {"partitions": 1, "session_update_seconds": 600}
    now = now_ms()
    with Running(tmp_path / "data", **settings) as running:
        post(running, hit("ann", now), hit("bob", now - 120_000))
        running.wait_until_drained()
        assert running.value("SELECT count() FROM sessions") == 0
        assert verify(running.data, **settings)["differences"] == []
