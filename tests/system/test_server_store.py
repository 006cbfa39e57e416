"""The whole pipeline with its store on a server: the same views, and faults of the server while hits flow."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from bench.clickhouse import ClickHouse
from bench.faults import shop_hits
from bench.running import Running, command, wait_for
from pipeline.store.client import connect

from .kit import T0, differing, hit, masir, metrics, post, process, verify, write_lines

SECOND = 1_000
DOWN_SECONDS = 4.0
VISITORS = 20
CLOCKS = 32  # visitors whose one hit each moves every partition's time on
_databases = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with ClickHouse(tmp_path_factory.mktemp("server") / "ch", password="secret") as started:
        yield started


@pytest.fixture
def url(server: ClickHouse) -> str:
    """An empty database."""
    server.disarm()
    name = f"test{next(_databases)}"
    with connect(server.url) as client:
        client.command(f"CREATE DATABASE {name}")
    return server.url.removesuffix("masir") + name


def export(data: Path, **settings: object) -> dict[str, bytes]:
    """Every view, of the store that the settings mean."""
    out = data.with_name(f"{data.name}.views")
    masir("sql", "--export", out, "--data", data, settings=settings)
    return {file.stem: file.read_bytes() for file in out.iterdir()}


def test_a_shops_hits_give_the_same_views(url: str, tmp_path: Path) -> None:
    remote: dict[str, object] = {"clickhouse": url}
    file = write_lines(tmp_path / "hits.ndjson", shop_hits(1_200, seed=7, now_ms=T0))
    assert process(tmp_path / "remote", file, **remote)["conversions"] > 0
    process(tmp_path / "embedded", file)
    assert differing(export(tmp_path / "remote", **remote), export(tmp_path / "embedded")) == {}
    assert verify(tmp_path / "remote", **remote)["agrees"]
    assert not (tmp_path / "remote" / "clickhouse").exists(), "nothing is stored here"


def pieces() -> list[list[bytes]]:
    """Requests of hits, in event-time order; the last one closes every session of the shop."""
    sent = [
        [hit(f"v{n}", T0 + at * 20 * SECOND, hit_id=f"{at}-{n}", url=f"/p{at}") for n in range(VISITORS)]
        for at in range(30)
    ]
    closing = [hit(f"c{n}", T0 + 10_000 * SECOND, site="clock", hit_id=f"c{n}") for n in range(CLOCKS)]
    return [*sent, closing]


def settled(running: Running) -> None:
    """Until all has been consumed and stored."""
    running.wait_for_value("SELECT countIf(NOT closed) FROM sessions WHERE site = 'shop'", 0)
    running.wait_for_value("SELECT count() FROM sessions WHERE site = 'shop'", VISITORS)
    running.wait_for_value("SELECT count() FROM sessions WHERE site = 'clock'", CLOCKS)
    running.wait_until_drained()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    data = tmp_path_factory.mktemp("undisturbed") / "data"
    with Running(data) as running:
        for piece in pieces():
            post(running, *piece)
        settled(running)
        return export(data)


def readiness(running: Running) -> tuple[int, str]:
    try:
        with urlopen(f"{running.url}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def down(server: ClickHouse, running: Running) -> None:
    """Killed, away for some seconds while hits come in, and started again."""
    server.kill()
    threading.Timer(DOWN_SECONDS, server.start).start()


def five_hundred(server: ClickHouse, _running: Running) -> None:
    """It inserts each of the next blocks and answers 500."""
    server.arm("error_after", match="_rows", times=8)


def cut(server: ClickHouse, _running: Running) -> None:
    """It inserts each of the next blocks and closes the connection."""
    server.arm("cut_after", match="_rows", times=8)


def errors(running: Running) -> float:
    """Inserts that went wrong, in whatever way."""
    return sum(value for (name, _), value in metrics(running).items() if name == "masir_sink_errors_total")


def test_nothing_is_lost_and_nothing_twice(
    server: ClickHouse, url: str, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    data, settings = tmp_path / "data", {"clickhouse": url}
    *requests, closing = pieces()
    faults: list[tuple[Callable[..., None], str]] = [
        (five_hundred, "error_after"),
        (cut, "cut_after"),
        (down, ""),
    ]
    share = len(requests) // len(faults)
    with Running(data, **settings) as running:
        for number, (fault, kind) in enumerate(faults):
            server.disarm()  # so that what strikes from here on is the next
            before = 0.0
            for at, piece in enumerate(requests[number * share : (number + 1) * share]):
                if at == share // 3:
                    fault(server, running)
                    before = errors(running)
                post(running, *piece)
                time.sleep(0.1)
            wait_for(
                lambda before=before, kind=kind: (
                    errors(running) > before and (not kind or server.struck(kind))
                ),
                f"{fault.__name__} has struck",
            )
        post(running, *closing)
        settled(running)
        assert wait_for(lambda: readiness(running)[0] == 200, "it is ready again")
        assert differing(export(data, **settings), undisturbed) == {}
        with connect(url) as client:
            ((stored, different),) = client.query("SELECT count(), uniqExact(hit_id) FROM hits_rows")
            assert stored == different == sum(map(len, pieces()))


def test_while_the_store_is_away_hits_are_taken_and_it_says_so_and_stops_when_told(
    server: ClickHouse, url: str, tmp_path: Path
) -> None:
    with Running(tmp_path / "data", clickhouse=url) as running:
        server.kill()
        try:
            post(running, hit("v", T0, hit_id="kept"))
            wait_for(lambda: readiness(running)[0] == 503, "it is not ready")
            assert "store" in readiness(running)[1]
            assert running.stop() == 0
        finally:
            server.start()
        running.start()
        running.wait_for_value("SELECT count() FROM hits WHERE hit_id = 'kept'", 1)


def started_with(tmp_path: Path, url: str) -> tuple[int, str]:
    done = command(
        "run", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", settings={"clickhouse": url}
    )
    return done.returncode, done.stderr.decode()


def test_it_does_not_start_where_it_is_not_let_in(url: str, tmp_path: Path) -> None:
    code, said = started_with(tmp_path, url.replace("secret", "guess"))
    assert (code, "password is incorrect" in said) == (2, True)
    assert "Traceback" not in said
    assert "guess" not in said


def test_it_does_not_start_on_tables_of_a_newer_program(url: str, tmp_path: Path) -> None:
    masir("process", "-", "--data", tmp_path / "data", settings={"clickhouse": url}, stdin=hit("v", T0))
    with connect(url) as client:
        client.command(
            "INSERT INTO masir_migrations (number, name, checksum) VALUES (999, '0999_later.sql', '')"
        )
    code, said = started_with(tmp_path, url)
    assert (code, "0999_later.sql" in said) == (2, True)


def test_a_store_that_was_filled_from_other_topics_is_left_alone(url: str, tmp_path: Path) -> None:
    settings: dict[str, object] = {"clickhouse": url}
    masir("process", "-", "--data", tmp_path / "one", settings=settings, stdin=hit("v", T0))
    done = masir("process", "-", "--data", tmp_path / "other", settings=settings, stdin=hit("w", T0), code=2)
    assert b"has 1 hits, but none of" in done.stderr
    masir("process", "-", "--data", tmp_path / "one", settings=settings, stdin=hit("x", T0))
    with connect(url) as client:
        assert client.query(
            "SELECT groupArray(visitor_id) FROM (SELECT * FROM hits ORDER BY visitor_id)"
        ) == [(["v", "x"],)]


def test_it_ends_with_1_where_nobody_answers(tmp_path: Path) -> None:
    code, said = started_with(tmp_path, "http://localhost:1/masir")
    assert (code, "ClickHouse at localhost:1" in said) == (1, True)


def findings(data: Path, url: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = masir("doctor", "--json", "--data", data, settings={"clickhouse": url}, code=None)
    return done.returncode, {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_the_doctor_looks_at_the_server(url: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    code, found = findings(data, url)
    assert (code, found["tables"]["advice"] != "") == (1, True)
    masir("process", "-", "--data", data, settings={"clickhouse": url}, stdin=hit("v", T0))
    code, found = findings(data, url)
    assert {what: finding["advice"] for what, finding in found.items() if finding["advice"]} == {}
    assert found["store"]["says"].startswith("localhost:")
    code, found = findings(data, url.replace("secret", "guess"))
    assert code == 1
    assert "MASIR_CLICKHOUSE" in found["store"]["advice"]
