"""The commands as a person or a script meets them: help, messages, exit codes, JSON, silence in a pipe."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.running import Running
from pipeline.cli import COMMANDS, main

from .kit import T0, hit, masir, process, write_lines

FIGURES = [
    "received",
    "accepted",
    "duplicate",
    "bot",
    "dead_letter",
    "sessionized",
    "background",
    "late",
    "sessions",
    "bounced",
    "converted",
    "conversions",
    "revenue",
    "transitions",
    "signals",
    "seconds",
    "hits_per_second",
]


def _all_commands() -> list[tuple[str, ...]]:
    """Every command and every command of a group, as a person types it."""
    paths: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            paths += [(name, below) for below in command.list_commands(context)]
        else:
            paths.append((name,))
    return paths


@pytest.mark.parametrize("path", _all_commands(), ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert f"masir {' '.join(path)}" in result.output.partition("Example")[2]


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert all(f"  {name} " in result.output for name in COMMANDS)


WRONG_SETTINGS = {
    "partitions": "0",
    "session_timeout_seconds": "-1",
    "allowed_lateness_seconds": "soon",
    "bounce": "often",
    "pane_seconds": "7",
    "dedupe_hours": "0.5",
    "listen": "nowhere",
    "bot_patterns": "[",
    "sesion_timeout_seconds": "60",
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
@pytest.mark.parametrize(
    "command", [("process", "-"), ("run",), ("sql", "SELECT 1"), ("verify",), ("doctor",)]
)
def test_a_wrong_setting_is_named(command: tuple[str, ...], name: str) -> None:
    variable = f"MASIR_{name.upper()}"
    result = CliRunner().invoke(main, list(command), env={variable: WRONG_SETTINGS[name]})
    assert result.exit_code == 2
    assert name in result.stderr.lower()
    assert result.stderr.startswith("Error: ")


def test_a_wrong_settings_file_is_named(tmp_path: Path) -> None:
    config = tmp_path / "masir.toml"
    for text, expected in (
        ("partition = 4", "partition"),
        ("partitions = ", "not TOML"),
        (None, "cannot be read"),
    ):
        if text is None:
            config.unlink()
        else:
            config.write_text(text)
        result = CliRunner().invoke(main, ["run"], env={"MASIR_CONFIG": str(config)})
        assert result.exit_code == 2
        assert expected in result.stderr
        assert str(config) in result.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hits, processed."""
    directory = tmp_path_factory.mktemp("commands")
    process(directory / "data", write_lines(directory / "hits.ndjson", [hit("ann", T0), b"hello"]))
    return directory / "data"


@pytest.mark.parametrize(("name", "value"), [("partitions", 3), ("pane_seconds", 20)])
def test_what_cannot_change_is_named(data: Path, name: str, value: int) -> None:
    done = masir("process", "-", "--data", data, settings={name: value}, stdin=hit("ann", T0), code=2)
    assert done.stderr.startswith(f"Error: {name}: ".encode())
    assert done.stdout == b""


@pytest.mark.usefixtures("installed")
def test_process_prints_one_json_object_and_nothing_else(tmp_path: Path) -> None:
    raws = b"\n".join([hit("ann", T0), hit("bob", T0, event="purchase", revenue=20), b"hello"])
    done = masir("process", "-", "--data", tmp_path / "data", "--json", stdin=raws)
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1
    summary = json.loads(done.stdout)
    assert summary.keys() >= set(FIGURES)
    assert (
        summary["received"]
        == summary["accepted"] + summary["duplicate"] + summary["bot"] + summary["dead_letter"]
    )
    assert summary["accepted"] == summary["sessionized"] + summary["background"] + summary["late"]
    assert (summary["received"], summary["dead_letter"], summary["revenue"]) == (3, 1, 20)


def test_a_pipe_sees_no_progress(data: Path, tmp_path: Path) -> None:
    """For people there is a summary instead of JSON, and still nothing on standard error."""
    done = masir("process", "-", "--data", tmp_path / "data", stdin=hit("ann", T0))
    assert done.stderr == b""
    assert b"\x1b[" not in done.stdout
    assert b"hits/s" in done.stdout
    for command in (("verify",), ("dlq", "ls"), ("doctor",)):
        done = masir(*command, "--data", data, code=None)
        assert (done.stderr, b"\x1b[" in done.stdout) == (b"", False), command


@pytest.mark.parametrize(
    "command", [("verify",), ("doctor",), ("dlq", "ls"), ("dlq", "replay")], ids=" ".join
)
def test_json_is_one_object(data: Path, command: tuple[str, ...]) -> None:
    done = masir(*command, "--data", data, "--json", code=None)
    assert done.returncode in (0, 1)
    assert done.stdout.count(b"\n") == 1
    assert isinstance(json.loads(done.stdout), dict)


def test_what_is_ignored_of_hits_and_why_others_are_no_hits_is_said(tmp_path: Path) -> None:
    raws = [
        hit("ann", T0, timestamp="2026-11-01T00:00:00Z"),
        hit("bob", T0, url="https://e.example/" + 3_000 * "x"),
    ]
    stdin = b"\n".join([*raws, b"hello"])
    said = masir("process", "-", "--data", tmp_path / "data", stdin=stdin).stdout.decode()
    assert "1 hits with fields that are none of a hit's (timestamp): those were ignored" in said
    assert "1 hits with a url or referrer that was cut" in said
    assert "    1 dead letters not_json: JSON is malformed" in said
    done = masir("process", "-", "--data", tmp_path / "other", "--json", stdin=stdin)
    assert {"unknown_fields": 1, "cut_urls": 1}.items() <= json.loads(done.stdout).items()


@pytest.mark.usefixtures("installed")
def test_a_site_that_can_be_none_is_an_error_at_once(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text('1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n')
    for command in (("process", log, "--data", tmp_path / "data"), ("tail", log, "--once")):
        done = masir(*command, "--site", "www example", code=2)
        assert b"the value of site for every hit: Expected `str` matching regex" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_missing_file_and_missing_data_are_named(tmp_path: Path) -> None:
    done = masir("process", tmp_path / "nothing.ndjson", "--data", tmp_path / "data", code=2)
    assert str(tmp_path / "nothing.ndjson").encode() in done.stderr
    done = masir("sql", "SELECT 1", "--data", tmp_path / "nowhere", code=2)
    assert str(tmp_path / "nowhere").encode() in done.stderr


@pytest.mark.usefixtures("installed")
def test_one_process_has_the_data_and_others_may_ask(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        answer = masir("sql", "SELECT 1 AS one", "--data", running.data).stdout
        assert answer == b"one\n1\n"
        done = masir("process", "-", "--data", running.data, stdin=hit("ann", T0), code=2)
        assert b"another process" in done.stderr
        port = running.url.rpartition(":")[2]
        done = masir("run", "--data", tmp_path / "other", "--listen", f"127.0.0.1:{port}", code=2)
        assert port.encode() in done.stderr
        assert running.stop() == 0
    assert not (running.data / "masir.sock").exists()
