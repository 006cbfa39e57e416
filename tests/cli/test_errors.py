"""Files, places and disks that cannot be used: one line that names them, and a code that says whose turn it is."""

import gzip
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.runner import told
from tests.cli.kit import HITS, masir, small_file

pytestmark = pytest.mark.usefixtures("nowhere")


def test_a_full_disk_may_have_room_again_and_a_broken_file_is_not_mended_by_itself() -> None:
    ended = [told(kind("x")) for kind in (sqlite3.OperationalError, sqlite3.DatabaseError)]
    assert [(one.exit_code, one.message) for one in ended] == [
        (1, "in the data directory: x"),
        (2, "in the data directory: x"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("process", "hits.ndjson"),
        ("run", "--listen", "127.0.0.1:0"),
        ("doctor",),
        ("erase", "--site", "s", "--user", "u"),
        ("unlink", "--site", "s", "--visitor", "v", "--user", "u"),
        ("rebuild", "--model", "classic5"),
    ],
    ids=" ".join,
)
def test_a_file_of_topics_that_is_none_is_one_line(arguments: tuple[str, ...]) -> None:
    small_file()
    Path("broken").mkdir()
    Path("broken/masir.db").write_bytes(b"no database\n" * 1_000)
    result = masir(*arguments, "--data", "broken")
    assert result.exit_code == (1 if arguments == ("doctor",) else 2)
    assert "file is not a database" in result.output
    assert isinstance(result.exception, SystemExit), result.exception
    if arguments != ("doctor",):
        assert len(result.output.splitlines()) == 1


def test_replay_into_a_file_that_is_no_broker_is_told_in_words() -> None:
    Path("broken.db").write_bytes(b"no database\n" * 1_000)
    result = masir("replay", small_file(), "--to", "sqlite://broken.db")
    assert (result.exit_code, "broken.db: file is not a database" in result.output) == (2, True)
    assert isinstance(result.exception, SystemExit)


def test_a_place_that_cannot_be_written_is_named_first() -> None:
    assert (
        masir("process", small_file(), "--data", "hits.ndjson").output == "Error: hits.ndjson: File exists\n"
    )
    assert masir("process", "hits.ndjson", "--data", "hits.ndjson/x").output.endswith("x: Not a directory\n")


@pytest.mark.parametrize("closed", ["d", "d/clickhouse", "d/clickhouse/status"])
def test_a_data_directory_that_is_somebody_elses_is_one_line(
    closed: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(closed).parent.mkdir(parents=True, exist_ok=True)
    Path(closed).touch() if closed.endswith("status") else Path(closed).mkdir()
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != Path(closed))  # the tests may be root's
    for command in (("process", small_file()), ("sql", "SELECT 1"))[: 1 if closed == "d" else 2]:
        result = masir(*command, "--data", "d")
        assert (result.exit_code, result.output) == (2, f"Error: {closed}: Permission denied\n")
    assert capfd.readouterr().err == ""  # the engine's own words


def test_an_error_in_a_query_quotes_the_query_and_nothing_of_ours() -> None:
    assert masir("process", small_file(), "--data", "d").exit_code == 0
    result = masir("sql", "SELECT * FROM (DESCRIBE TABLE hits)", "--data", "d")
    assert (result.exit_code, "TABLE hits)" in result.output) == (2, True)
    assert "/proc/" not in result.output


def test_a_file_that_is_not_there_is_told_before_anything_is_made() -> None:
    result = masir("process", small_file(), "nowhere.ndjson", "--data", "d")
    assert (result.exit_code, "nowhere.ndjson: cannot be read" in result.output) == (2, True)
    assert not Path("d").exists()


def test_a_damaged_file_says_how_much_of_it_was_taken() -> None:
    hit = b'{"site":"shop","event":"page_view","visitor_id":"v%d","time":1767268800000}\n'
    whole = gzip.compress(b"".join(hit % (n * n) for n in range(12_000)))
    Path("hits.ndjson.gz").write_bytes(whole[:-20])
    result = masir("process", "hits.ndjson.gz", "--data", "d")
    assert result.exit_code == 2
    said = re.search(
        r"the file was cut; the first (1\d,\d{3}) hits are in d, the others are not\n$", result.output
    )
    assert said
    counted = json.loads(masir("process", small_file(), "--data", "d", "--json").output)
    assert counted["received"] == int(said[1].replace(",", "")) + len(HITS)


def test_a_file_of_which_nothing_can_be_read_says_what_can() -> None:
    """Logs of a form that we do not know, or JSON over several lines, are no hits."""
    Path("pretty.json").write_text(json.dumps(HITS, indent=1))
    assert "Not one of them could be read" in masir("process", "pretty.json", "--data", "d").output
    Path("hits.ndjson").write_text(f"{json.dumps(HITS[0])}\nbroken")
    assert "Not one" not in masir("process", "hits.ndjson", "--data", "d").output


_MASIR = (sys.executable, "-c", "from pipeline.cli import main; main()")


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    """As in ``masir process FILE | head -1``."""
    source, sink = os.pipe()
    os.close(source)
    with open(sink, "wb") as closed:
        ended = subprocess.run(
            [*_MASIR, "process", small_file(), "--data", "d", "--json"],
            stdout=closed, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, b"")
    assert told(BrokenPipeError(32, "Broken pipe")).message == "Broken pipe", "of a socket, say"


def test_ctrl_c_says_what_becomes_of_what_was_read() -> None:
    # Where the tests are a shell's background job, what they start would ignore it.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    python, option, code = _MASIR
    with subprocess.Popen(
        [python, option, heeding + code, "process", "-", "--data", "d"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not Path("d/masir.db").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Stopped. What was read so far stays in d; the next start there goes on with it.\n" in said


def test_the_demo_touches_nothing_that_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    assert (masir("demo", "--data", "file").exit_code, masir("demo", "--data", "file/x").exit_code) == (2, 2)
    Path("mine").mkdir()
    Path("mine/precious").touch()
    assert "not made by `masir demo`" in masir("demo", "--data", "mine").output
    Path("running").mkdir()
    Path("running/.made-by-masir-demo").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("running/masir.sock")
        listener.listen()
        assert "a Masir runs on running" in masir("demo", "--data", "running").output
    monkeypatch.setenv("MASIR_PARTITIONS", "0")
    assert masir("demo", "--data", "running").exit_code == 2
    assert Path("running/.made-by-masir-demo").exists(), "what is there is deleted last"


@pytest.mark.parametrize("command", [("run",), ("demo", "--live")], ids=" ".join)
def test_an_address_in_use_is_told_before_anything_is_made(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = masir(*command, "--data", "d", "--listen", address)
        says = f"Error: {address} is in use; --listen HOST:PORT chooses another address\n"
        assert (result.exit_code, result.output) == (2, says)
        monkeypatch.setenv("MASIR_METRICS_LISTEN", address)
        assert (
            "MASIR_METRICS_LISTEN=HOST:PORT"
            in masir(*command, "--data", "d", "--listen", "127.0.0.1:0").output
        )
    assert not Path("d").exists()
