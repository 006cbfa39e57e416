"""Replay: pace, resending, ids, and the command against a real collector and a real broker file."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.sources.replay import Answer, Pace, Replay, ReplayError, Summary, TooLarge, TryAgain, prepared
from pipeline.transport.log import Log

Reply = Answer | Exception
AT_ONCE = Pace()


class Clock:
    """Moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Sink:
    """Answers what it is told to, then accepts everything; ``log``: (seconds, hits) of each request."""

    def __init__(self, clock: Clock, *replies: Reply) -> None:
        self._clock, self._replies = clock, list(replies)
        self.log: list[tuple[float, list[bytes]]] = []

    async def send(self, hits: list[bytes]) -> Answer:
        self.log.append((round(self._clock() - 100, 3), hits))
        reply = self._replies.pop(0) if self._replies else Answer(len(hits), 0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def deliver(
    times: list[int], *replies: Reply, pace: Pace = AT_ONCE, **options: Any
) -> tuple[Summary, list[tuple[float, list[bytes]]]]:
    clock = Clock()
    sink = Sink(clock, *replies)
    delivery = Replay(sink, pace=pace, clock=clock, sleep=clock.sleep, **options)
    hits = ((time, b"%d" % number) for number, time in enumerate(times))
    return asyncio.run(delivery.run(hits, first_ms=times[0] if times else 0)), sink.log


def test_without_a_pace_only_the_batches_count() -> None:
    told: list[int] = []
    summary, log = deliver([0] * 5, batch_hits=2, progress=told.append)
    assert log == [(0.0, [b"0", b"1"]), (0.0, [b"2", b"3"]), (0.0, [b"4"])]
    assert (summary.hits, summary.accepted, summary.refused, told) == (5, 5, 0, [2, 2, 1])


def test_rate_is_kept() -> None:
    _, log = deliver([0] * 4, pace=Pace(rate=2))
    assert log == [(0.0, [b"0"]), (0.5, [b"1"]), (1.0, [b"2"]), (1.5, [b"3"])]
    summary, log = deliver([0] * 10_000, pace=Pace(rate=10_000))
    assert len(log) <= 60
    assert summary.hits_per_second == pytest.approx(10_000, rel=0.03)


def test_speed_is_a_factor_of_real_time() -> None:
    _, log = deliver([1_000, 1_000, 61_000, 121_000], pace=Pace(speed=60))
    assert log == [(0.0, [b"0", b"1"]), (1.0, [b"2"]), (2.0, [b"3"])]


def test_what_is_not_acknowledged_is_sent_again_after_the_time_asked_for() -> None:
    summary, log = deliver([0, 0], TryAgain("busy", 7), TryAgain("away"), TryAgain("away"), batch_hits=2)
    assert log == [(time, [b"0", b"1"]) for time in (0.0, 7.0, 7.5, 8.5)]
    assert (summary.hits, summary.retries) == (2, 3)


def test_patience_ends_and_says_how_far_it_came() -> None:
    with pytest.raises(ReplayError, match="away; gave up after 5 s, 2 hits were acknowledged"):
        deliver([0] * 4, Answer(2, 0), *[TryAgain("away")] * 9, batch_hits=2, patience_s=5)


def test_a_batch_that_is_too_large_is_halved_down_to_a_hit_that_is_refused() -> None:
    summary, log = deliver([0] * 3, TooLarge(), TooLarge(), batch_hits=3)
    assert [hits for _, hits in log] == [[b"0", b"1", b"2"], [b"0"], [b"1", b"2"]]
    assert (summary.hits, summary.accepted, summary.refused) == (3, 2, 1)


def test_prepared_gives_an_id_once_and_keeps_the_rest() -> None:
    raw = b'{"site":"s","props":{"a": 1.50},"hit_id":null}'
    first, again, later = prepared(raw, 1), prepared(raw, 1), prepared(raw, 2)
    assert first == again
    assert json.loads(first)["hit_id"] != json.loads(later)["hit_id"]
    assert b'"props":{"a": 1.50}' in first
    assert prepared(b'{"hit_id":"x"}', 1) == b'{"hit_id":"x"}'


def test_prepared_shifts_times_and_leaves_what_is_wrong() -> None:
    raw = b'{"hit_id":"x","time":"1970-01-01T00:00:01Z","sent_time":2000,"received_time":"soon"}'
    assert json.loads(prepared(raw, 0, 500)) == {
        "hit_id": "x", "time": 1_500, "sent_time": 2_500, "received_time": "soon"
    }  # fmt: skip
    assert json.loads(prepared(b"{}", 0, 500)).keys() == {"hit_id"}
    assert [prepared(raw, 0, 500) for raw in (b"{", b"[1]", b"\xff", b"")] == [b"{", b"[1]", b"\xff", b""]


class Collector:
    """A collector in a thread, whose answers are given; the real one has tests of its own."""

    def __init__(self, replies: list[web.Response]) -> None:
        self.hits: list[bytes] = []
        self.bearers: set[str] = set()
        self._replies = replies
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self.url = self._call(self._start())

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_post("/v1/hits", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.Response:
        if self._replies:
            return self._replies.pop(0)
        self.bearers.add(request.headers.get("Authorization", ""))
        lines = (await request.read()).split(b"\n")
        self.hits += lines
        bad = [{"index": place} for place, line in enumerate(lines) if not line.startswith(b"{")]
        return web.json_response(
            {"accepted": len(lines) - len(bad), "refused": bad}, status=400 if bad else 200
        )

    def stop(self) -> None:
        self._call(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    started: list[Collector] = []

    def start(*replies: web.Response) -> Collector:
        started.append(Collector(list(replies)))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Ten hits, last one first, and a line that is none."""
    file = tmp_path / "hits.ndjson"
    lines = [b'{"site":"s","event":"e","visitor_id":"v","time":%d}' % (1_000 * n) for n in range(10, 0, -1)]
    file.write_bytes(b"\n".join([*lines, b"broken"]))
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_command_sends_all_in_order_and_again_after_503(
    collector: Callable[..., Collector], stream: Path
) -> None:
    target = collector(web.Response(status=503, headers={"Retry-After": "0"}))
    result = run(stream, "--to", target.url, "--batch", 4, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert {name: summary[name] for name in ("hits", "accepted", "refused", "retries")} == {
        "hits": 11, "accepted": 10, "refused": 1, "retries": 1,
    }  # fmt: skip
    times = [json.loads(raw)["time"] for raw in target.hits if raw != b"broken"]
    assert times == [1_000 * n for n in range(1, 11)]
    assert target.hits[1] == b"broken"
    assert len({json.loads(raw)["hit_id"] for raw in target.hits if raw != b"broken"}) == 10


def test_command_retimes_to_now(
    collector: Callable[..., Collector], stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5_000_000 * 1_000_000)
    target = collector()
    result = run(stream, "--to", target.url, "--retime")
    assert result.exit_code == 0, result.output
    assert "11 hits acknowledged" in result.stdout
    times = [json.loads(raw)["time"] for raw in target.hits if raw != b"broken"]
    assert times == [5_000_000 - 1_000 * n for n in range(9, -1, -1)]


def test_command_bears_the_key_of_a_file(
    collector: Callable[..., Collector], stream: Path, tmp_path: Path
) -> None:
    target = collector()
    (tmp_path / "key").write_text("a-secret\n")
    assert run(stream, "--to", target.url).exit_code == 0
    assert run(stream, "--to", target.url, "--key-file", tmp_path / "key").exit_code == 0
    assert target.bearers == {"", "Bearer a-secret"}


def test_command_says_that_nobody_listens(collector: Callable[..., Collector], stream: Path) -> None:
    target = collector(web.Response(status=404))
    result = run(stream, "--to", target.url)
    assert (result.exit_code, "answered 404: is a collector" in result.stderr) == (1, True)
    result = run(stream, "--to", "http://127.0.0.1:1", "--patience", 0)
    assert (result.exit_code, "does not answer" in result.stderr) == (1, True)


def test_command_writes_into_a_broker_file(stream: Path, tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    log = Log(path)
    with log.transaction():
        log.create_topic("hits", partitions=3, retention_ms=1_000)
    result = run(stream, "--to", f"sqlite://{path}", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accepted"] == 10
    values = [value for partition in range(3) for value in log.read("hits", partition, 0, most=100).values]
    log.close()
    assert len(values) == 11
    assert sum(b'"received_time"' in value for value in values) == 10
    assert b"broken" in values


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.ndjson"], "none.ndjson: cannot be read: No such file"),
        (["--rate", "1", "--speed", "2x"], "--rate and --speed exclude each other"),
        (["--speed", "fast"], "such as 10x or 0.5x"),
        (["--speed", "0x"], "such as 10x or 0.5x"),
        (["--rate", "0"], "0.0 is not in the range"),
        (["--key-file", "none.key"], "none.key: cannot be read as a key: "),
        (["--to", "ftp://x"], "sqlite:///PATH or kafka://HOST:PORT is expected"),
        (["--to", "sqlite:///none.db"], "none.db: there is no such broker file"),
        (["--site", "s", "--format", "ndjson"], "NDJSON hits name all their fields"),
    ],
)
def test_wrong_input_exits_with_2(stream: Path, arguments: list[str], message: str) -> None:
    result = run(stream, *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.output


def test_help_has_an_example() -> None:
    assert "masir replay hits.ndjson.gz --rate 500 --retime" in run("--help").output
