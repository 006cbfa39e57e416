"""``masir sql`` and ``masir verify`` as a person sees them: output, messages, exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.store.checks import Rules
from pipeline.store.client import STORE_DIRECTORY, Client, connect
from pipeline.store.sink import Sink
from pipeline.store.views import VIEWS

from .kit import hit, store_what_the_stream_says


@pytest.fixture
def filled(client: Client, sink: Sink, data: Path) -> Path:
    """A store of one session of two hits."""
    store_what_the_stream_says(sink, [hit(0), hit(1, event="click")], Rules())
    return data


@pytest.fixture
def agreeing(client: Client, sink: Sink, data: Path) -> Path:
    """A store that agrees with itself: its events are evidence for no stage."""
    store_what_the_stream_says(sink, [hit(0, event="heartbeat"), hit(1, event="heartbeat")], Rules())
    return data


def run_sql(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sql", *arguments])


def test_a_pipe_gets_tsv_with_names(filled: Path) -> None:
    result = run_sql("SELECT site, hits FROM sessions", "--data", str(filled))
    assert (result.exit_code, result.stdout) == (0, "site\thits\nshop\t2\n")


def test_any_format(filled: Path) -> None:
    result = run_sql("SELECT hits FROM sessions", "--data", str(filled), "--format", "JSONEachRow")
    assert result.stdout == '{"hits":2}\n'


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM nowhere", "DROP TABLE hits_rows", ""])
def test_a_wrong_query_ends_with_2_and_a_message(filled: Path, query: str) -> None:
    result = run_sql(query, "--data", str(filled))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


def test_no_store_ends_with_2_and_names_the_directory(tmp_path: Path) -> None:
    result = run_sql("SELECT 1", "--data", str(tmp_path / "nothing"))
    assert result.exit_code == 2
    assert str(tmp_path / "nothing") in result.stderr


@pytest.mark.parametrize("arguments", [[], [" "], ["SELECT 1", "--export", "x"]])
def test_a_query_or_an_export(arguments: list[str]) -> None:
    result = run_sql(*arguments)
    assert (result.exit_code, result.stderr) == (2, "Error: give a QUERY or --export DIR\n")


def test_export_writes_every_view(filled: Path, tmp_path: Path) -> None:
    assert run_sql("--data", str(filled), "--export", str(tmp_path / "out")).exit_code == 0
    assert {file.stem for file in (tmp_path / "out").iterdir()} == set(VIEWS)


def test_help_has_an_example() -> None:
    for command in ("sql", "verify"):
        assert f"masir {command} " in CliRunner().invoke(main, [command, "--help"]).stdout


def run_verify(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--data", str(data), *arguments])


def test_verify_ends_with_0_when_all_agree(agreeing: Path) -> None:
    result = run_verify(agreeing)
    assert result.exit_code == 0, result.output
    assert "Differences" not in result.stdout


def test_verify_ends_with_1_and_shows_the_row_otherwise(agreeing: Path, client: Client) -> None:
    with connect(agreeing / STORE_DIRECTORY) as again:
        again.command(
            "INSERT INTO sessions_rows SELECT * REPLACE (7 AS hits, 9 AS version) FROM sessions_rows"
        )
    result = run_verify(agreeing)
    assert result.exit_code == 1
    assert "hits = 7" in result.stdout
    assert "hits = 2" in result.stdout
    summary = json.loads(run_verify(agreeing, "--json").stdout)
    assert summary["agrees"] is False
    (difference,) = summary["differences"]
    assert (difference["check"], difference["stream"], difference["batch"]) == (
        "sessions",
        {"hits": 7},
        {"hits": 2},
    )


def test_verify_without_a_store_ends_with_2(tmp_path: Path) -> None:
    assert run_verify(tmp_path / "nothing").exit_code == 2


def test_verify_of_a_store_of_an_older_version_says_so(agreeing: Path, client: Client) -> None:
    client.command("DELETE FROM masir_migrations WHERE number = 16")
    client.close()
    result = run_verify(agreeing)
    assert result.exit_code == 2
    assert "made by an older Masir" in result.stderr
