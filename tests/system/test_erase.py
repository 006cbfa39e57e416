"""``masir erase``: nothing of the person is left in any file, sums stay, others stay, and a replay keeps them out."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.running import COMMAND_SECONDS, Running, environment, wait_for
from pipeline.store.views import VIEWS
from pipeline.transport.packing import decode_changes, decode_payload

from .kit import hit, masir, now_ms, post, verify

USER = "zq7f3ak9wj2@example.com"
VISITOR = "vx81kd0qpz5m"
SECRETS = ("zq7f3ak9wj2", VISITOR, "order-k4j9x2", "very-own-page-7hq1", "utm-8s2jd9")
MINUTE_MS = 60_000
CRASHING = """
import os, sys
from itertools import count
from agents import erasing
from pipeline.cli import main
from pipeline.store import erase

def crashing(run):
    def counted(*arguments, **options):
        if next(steps) == last:
            os._exit(9)
        return run(*arguments, **options)
    return counted

steps, last = count(), int(sys.argv.pop(1))
erasing.scrub, erase._rewrite = crashing(erasing.scrub), crashing(erase._rewrite)
main()
"""
NOWHERE: dict[str, list[str]] = {secret: [] for secret in SECRETS}


def hits(start: int) -> list[bytes]:
    """A person anonymous, then known, also with escapes; an order, a survey, two sessions; a friend; flawed hits."""
    own = f"https://shop.example/very-own-page-7hq1?utm_source=utm-8s2jd9&utm_medium=email&id={VISITOR}"
    later = start + 120 * MINUTE_MS
    return [
        hit(VISITOR, start, hit_id="h1", url=own),
        hit(VISITOR, start + 1, hit_id="h2", user_id=USER, event="sign_up", title=f"Hello {USER}"),
        hit(VISITOR, start + 2, hit_id="h3", user_id=USER, event="purchase", revenue=49.9, currency="EUR",
            order_id="order-k4j9x2"),
        hit(VISITOR, later, hit_id="h4", url=own, props={"mail": USER}),
        json.dumps({"site": "shop", "user_id": USER, "event": "survey_response", "score": 3, "time": later,
                    "hit_id": "h5", "props": {"metric": "nps"}}).encode(),
        json.dumps({"site": "shop", "event": "page_view", "url": own.partition("?")[0], "time": later,
                    "hit_id": "h6", "user_id": USER}).replace(USER[0], rf"\u{ord(USER[0]):04X}", 1).encode(),
        hit("friend", start, hit_id="f1", url="https://shop.example/"),
        hit("friend", start + 5, hit_id="f2", user_id="friend@example.com", event="purchase", revenue=10.0),
        json.dumps({"site": "shop", "event": "page_view", "visitor_id": VISITOR, "score": "very-own-page-7hq1"})
        .encode(),
        f'not JSON: "{VISITOR}"'.encode(),
    ]  # fmt: skip


def unpacked(database: Path) -> bytes:
    """All that stands in the topics and changelogs: on the disk it is compressed."""
    with closing(sqlite3.connect(database)) as db:
        records = [decode_payload(blob) for (blob,) in db.execute("select payload from batches")]
        changes = [decode_changes(blob) for (blob,) in db.execute("select payload from changelogs")]
    values = [value for one in records for value in one.values]
    return b"\n".join([*values, *(key.encode() + (value or b"") for one in changes for key, value in one)])


def found_in(data: Path) -> dict[str, list[str]]:
    """Secret -> files in which it stands."""
    files = [path for path in data.rglob("*") if path.is_file()]
    contents = {path.relative_to(data).as_posix(): path.read_bytes() for path in files}
    contents["masir.db, unpacked"] = unpacked(data / "masir.db")
    return {
        secret: [name for name, content in contents.items() if secret.encode() in content]
        for secret in SECRETS
    }


def views(running: Running) -> str:
    return json.dumps([running.query(f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS])


def erased(data: Path, *arguments: str) -> dict[str, Any]:
    done = masir("erase", "--site", "shop", "--data", data, "--json", *arguments)
    receipt: dict[str, Any] = json.loads(done.stdout)
    return receipt


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path / "data", session_timeout_seconds=1800, out_of_orderness_seconds=0) as process:
        start = now_ms() - 125 * MINUTE_MS  # one session is over, the other is still open
        post(process, *hits(start))
        post(process, hit("clock", now_ms(), site="clock"))
        process.wait_until_drained()
        yield process


def test_while_it_runs(running: Running) -> None:
    before = found_in(running.data)
    assert all("masir.db, unpacked" in files for files in before.values()), "each secret stands somewhere"
    sums = "SELECT sum(sessions), sum(revenue) FROM counters WHERE site = 'shop'"
    ledger = "SELECT outcome, hits FROM ledger WHERE site = 'shop' ORDER BY outcome"
    counted, told = running.query(sums), running.query(ledger)
    receipt = erased(running.data, "--user", USER)
    assert (receipt["site"], receipt["visitors"], receipt["found"]) == ("shop", 1, True)
    assert receipt["store_rows"]["hits_rows"] == 6
    assert receipt["store_rows"]["dead_letters_rows"] == 2
    assert not [secret for secret in SECRETS if secret in json.dumps(receipt)]
    assert not any(secret in views(running) for secret in SECRETS)
    assert running.value("SELECT count() FROM hits WHERE visitor_id = 'friend'") == 2
    assert (running.query(sums), running.query(ledger)) == (counted, told), "sums name nobody, and stay"
    post(running, hit("new", now_ms(), user_id="new@example.com"))
    running.wait_for_value("SELECT count() FROM hits WHERE visitor_id = 'new'", 1)
    running.stop()
    checks = verify(running.data)["checks"]
    found = [checks[name] for name in ("sessions", "hits.session_id", "counters", "ledger")]
    assert found == [0, 0, 0, 0], "what cannot be recomputed is left out"
    assert found_in(running.data) == NOWHERE, "no byte of them is left"


def test_when_stopped_and_a_replay_stays_out(running: Running) -> None:
    running.stop()
    receipt = erased(running.data, "--user", USER)
    assert receipt["topic_records"]["hits"] >= 5
    assert receipt["state_changes"] is not None
    assert found_in(running.data) == NOWHERE
    with closing(sqlite3.connect(running.data / "masir.db")) as db:
        assert db.execute("select id from erasures").fetchall() == [(None,)]
    running.start()
    answer = post(running, *hits(now_ms() - 300 * MINUTE_MS)[:5])
    assert answer["accepted"] == 5, "the door does not know who they are"
    running.wait_until_drained()
    running.wait_for_value("SELECT sum(hits) FROM ledger WHERE outcome = 'dead_letter'", 7)
    assert not any(secret in views(running) for secret in SECRETS)
    assert running.value("SELECT count() FROM dead_letters WHERE reason = 'erased' AND raw = ''") == 5
    masir("erase", "--site", "shop", "--user", USER, "--readmit", "--data", running.data)
    back = f"SELECT count() > 0 FROM hits WHERE user_id = '{USER}'"
    fresh = json.dumps({"site": "shop", "user_id": USER, "event": "page_view"}).encode()
    wait_for(lambda: post(running, fresh) and running.value(back), "they may come in again")


@pytest.mark.parametrize("steps", [0, 4, 9])
def test_killed_on_the_way_and_run_again(running: Running, steps: int) -> None:
    """Nothing of the browsers that were the person's alone may be left because the store has forgotten whose they were.

    ``steps``: how many of writing the topics anew, and each table, are done before.
    """
    running.stop()
    command = ["erase", "--site", "shop", "--user", USER, "--data", str(running.data)]
    killed = subprocess.run(
        [sys.executable, "-c", CRASHING, str(steps), *command],
        env=environment({}),
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert killed.returncode == 9
    masir(*command)
    assert found_in(running.data) == NOWHERE


def test_nobody_an_anonymous_visitor_and_a_shared_browser(running: Running) -> None:
    nobody = erased(running.data, "--user", "nobody")
    assert (nobody["found"], nobody["store_rows"]) == (False, {})
    assert masir("erase", "--site", "shop", "--data", running.data, code=2).stderr
    assert running.value("SELECT count() FROM hits WHERE visitor_id = 'friend'") == 2
    post(running, hit("shared", now_ms(), user_id="a@example.com", hit_id="s1"))
    post(running, hit("shared", now_ms(), user_id="b@example.com", hit_id="s2"))
    running.wait_for_value("SELECT count() FROM hits WHERE visitor_id = 'shared'", 2)
    receipt = erased(running.data, "--user", "a@example.com")
    assert (receipt["visitors"], receipt["shared_visitors"]) == (0, 1)
    assert running.value("SELECT groupArray(user_id) FROM hits WHERE visitor_id = 'shared'") == [
        "b@example.com"
    ]
    assert erased(running.data, "--visitor", VISITOR)["store_rows"]["hits_rows"] == 4
    left = running.query("SELECT user_id FROM hits WHERE site = 'shop' AND visitor_id = ''")
    assert left == [{"user_id": USER}] * 2, "what was known by the user alone is the user's"


def test_a_browser_that_was_unlinked_is_somebody_elses(running: Running) -> None:
    pair = ("--site", "shop", "--visitor", "lent", "--user", "lender@example.com")
    post(running, hit("lent", now_ms(), hit_id="l1"))
    post(running, hit("lent", now_ms(), user_id="lender@example.com", hit_id="l2"))
    running.wait_for_value("SELECT count() FROM links WHERE visitor_id = 'lent'", 1)
    masir("unlink", *pair, "--data", running.data)
    running.wait_for_value("SELECT count() FROM links WHERE visitor_id = 'lent'", 0)
    receipt = erased(running.data, "--user", "lender@example.com")
    assert (receipt["visitors"], receipt["shared_visitors"]) == (0, 1)
    post(running, hit("lent", now_ms(), hit_id="l3"))
    running.wait_for_value(
        "SELECT arraySort(groupArray(hit_id)) FROM hits WHERE visitor_id = 'lent'", ["l1", "l3"]
    )


def test_nowhere(tmp_path: Path) -> None:
    missing = masir("erase", "--site", "s", "--user", "u", "--data", tmp_path / "none", code=2)
    assert b"no data directory" in missing.stderr
    assert not (tmp_path / "none").exists()


def test_over_kafka_the_broker_is_asked() -> None:
    done = masir("erase", "--site", "s", "--user", "u", code=1, settings={"broker": "kafka://127.0.0.1:1"})
    assert b"broker kafka://127.0.0.1:1" in done.stderr
