"""Sessions close by themselves, and only when it is time: idleness, restarts, pauses, and wrong clocks."""

import signal
from pathlib import Path

from bench.running import Running, export, wait_for
from bench.senders import Sender

from .kit import differing, gauge, hit, metrics, now_ms, post, process, write_lines

DAY_MS = 86_400_000
PAUSE_MS = 8_000
QUICK: dict[str, object] = {"session_update_seconds": 0.2, "allowed_lateness_seconds": 900}


def test_the_last_session_closes_by_itself(tmp_path: Path) -> None:
    with Running(
        tmp_path / "data", **QUICK, session_timeout_seconds=2, out_of_orderness_seconds=0.2
    ) as running:
        post(running, hit("ann", now_ms()), hit("bob", now_ms()))
        running.wait_for_value("SELECT countIf(closed) FROM sessions", 2)
        wait_for(lambda: gauge(running, "masir_active_sessions", site="shop") == 0, "no session is open")
        assert running.value("SELECT sum(sessions) FROM counters") == 2


def test_it_closes_also_when_killed_before_and_restarted_after_the_timeout(tmp_path: Path) -> None:
    timeout = 12
    with Running(tmp_path / "data", **QUICK, session_timeout_seconds=timeout) as running:
        sent_ms = now_ms()
        post(running, hit("ann", sent_ms))
        running.wait_for_value("SELECT count() FROM sessions", 1)
        running.wait_until_drained()
        running.kill()
        assert now_ms() < sent_ms + timeout * 1_000, "the machine is too slow for this test"
        wait_for(lambda: now_ms() > sent_ms + timeout * 1_000, "the timeout is over")
        running.start()
        running.wait_for_value("SELECT countIf(closed) FROM sessions", 1)
        assert running.query("SELECT hits, page_views FROM sessions") == [{"hits": 1, "page_views": 1}]


def test_a_pause_longer_than_the_timeout_splits_nothing(tmp_path: Path) -> None:
    """The visitor goes on while the process is frozen: a hit a second, each on a connection of its own."""
    start = now_ms()
    hits = [hit("ann", start + second * 1_000, hit_id=str(second)) for second in range(10)]
    settings = {**QUICK, "session_timeout_seconds": 3, "out_of_orderness_seconds": 0.2}
    data = tmp_path / "data"
    with Running(data, **settings) as running:
        post(running, hits[0])
        running.wait_for_value("SELECT count() FROM sessions", 1)
        running.send(signal.SIGSTOP)
        senders = [Sender([one], lambda: running.url, batch=1) for one in hits[1:]]
        for sender in senders:
            sender.start()
        wait_for(lambda: now_ms() > start + PAUSE_MS, "the pause is over")
        assert not any(sender.acknowledged for sender in senders)
        running.send(signal.SIGCONT)
        wait_for(lambda: all(sender.acknowledged for sender in senders), "all hits are acknowledged")
        running.wait_for_value("SELECT countIf(closed) FROM sessions WHERE hits = 10", 1)
        running.wait_until_drained()
        live = export(data)
    process(tmp_path / "bounded", write_lines(tmp_path / "hits.ndjson", hits), **settings)
    assert differing(live, export(tmp_path / "bounded")) == {}


def test_a_clock_a_day_ahead_closes_nobody_elses_session(tmp_path: Path) -> None:
    settings = {**QUICK, "partitions": 1, "session_timeout_seconds": 600}
    with Running(tmp_path / "data", **settings) as running:
        post(running, hit("ann", now_ms()))
        running.wait_for_value("SELECT count() FROM sessions", 1)
        post(running, hit("hasty", now_ms() + DAY_MS))
        running.wait_for_value("SELECT sum(clock_clamped) FROM hits", 1)
        post(running, hit("ann", now_ms()))
        running.wait_for_value("SELECT sum(hits) FROM sessions", 3)
        assert running.query("SELECT visitor_id, hits, closed FROM sessions ORDER BY visitor_id") == [
            {"visitor_id": "ann", "hits": 2, "closed": 0},
            {"visitor_id": "hasty", "hits": 1, "closed": 0},
        ]
        lags = [
            value for (name, _), value in metrics(running).items() if name == "masir_watermark_lag_seconds"
        ]
        assert lags
        assert min(lags) > -60
