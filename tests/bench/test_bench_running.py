"""Processes that do not start in time are not left behind: they would take the machine from whatever comes next."""

import subprocess
from pathlib import Path

import pytest

from bench import clickhouse
from bench.clickhouse import ClickHouse
from bench.running import LateError, Running


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that was started meanwhile."""
    processes: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen.__init__

    def remember(process: subprocess.Popen[bytes], *arguments: object, **options: object) -> None:
        processes.append(process)
        start(process, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", remember)
    return processes


@pytest.mark.usefixtures("installed")
def test_masir(
    started: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(running: Running) -> None:
        raise LateError("masir run takes hits")

    monkeypatch.setattr(Running, "wait_until_ready", late)
    with pytest.raises(LateError), Running(tmp_path / "data"):
        pytest.fail("it is not ready")
    assert [process.returncode for process in started] == [-9]


def test_clickhouse(
    started: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clickhouse, "START_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="does not start"), ClickHouse(tmp_path / "ch"):
        pytest.fail("it does not answer yet")
    assert [process.returncode for process in started] == [-9]
