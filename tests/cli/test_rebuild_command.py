"""What ``masir rebuild`` refuses before it does anything; the rest is in ``tests/system/test_rebuild.py``."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.transport.log import DATABASE, Log
from pipeline.transport.rebuilds import RebuildRequests, Request


def rebuild(data: Path, **variables: object) -> Result:
    env = {f"MASIR_{name.upper()}": str(value) for name, value in variables.items()}
    return CliRunner().invoke(main, ["rebuild", "--model", "tiny", "--data", str(data)], env=env)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with closing(Log(tmp_path / "data" / DATABASE)):
        return tmp_path / "data"


def test_a_directory_without_masir(tmp_path: Path) -> None:
    result = rebuild(tmp_path)
    assert (result.exit_code, DATABASE in result.output) == (2, True)


def test_what_it_costs_that_hits_are_forgotten_is_said_before(data: Path) -> None:
    result = rebuild(data, ttl_days="hits=30")
    assert (result.exit_code, "kept for 30 days" in result.output) == (2, True)
    assert "--from-what-is-kept" in result.output
    assert RebuildRequests(data).pending() == []


def test_a_broker_is_asked(data: Path) -> None:
    result = rebuild(data, broker="kafka://127.0.0.1:1")
    assert (result.exit_code, "broker kafka://127.0.0.1:1" in result.output) == (1, True)


def test_a_flawed_model_is_named_with_its_line_and_nothing_is_asked_for(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text('name = "tiny"\nstages = 3\n')
    result = rebuild(data, models=file)
    assert (result.exit_code, "tiny.toml" in result.output) == (2, True)
    assert RebuildRequests(data).pending() == []


def test_a_request_lasts_until_its_receipt(data: Path) -> None:
    requests = RebuildRequests(data)
    number = requests.ask(["tiny", "odd"])
    assert requests.epoch == 0
    assert [requests.begin(number), requests.begin(number), requests.epoch] == [1, 2, 2], (
        "each time it is tried"
    )
    assert RebuildRequests(data).pending() == [Request(number, ("tiny", "odd"), True)]
    assert requests.receipt(number) is None
    requests.finish(number, b"{}")
    assert (requests.pending(), requests.receipt(number)) == ([], b"{}")
