"""Commands where the setting `broker` says that workers do the work."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main

NOBODY = "kafka://127.0.0.1:1"


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASIR_BROKER", NOBODY)


def test_doctor_asks_the_broker(tmp_path: Path) -> None:
    """And looks for no topics in the directory, where none are wanted."""
    result = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert f"!!  broker: broker {NOBODY}" in result.stdout
    assert "mend MASIR_BROKER" in result.stdout
    assert "topics:" not in result.stdout


@pytest.mark.parametrize("command", [("run",), ("process", "-")])
def test_what_works_alone_does_not_beside_workers(command: tuple[str, ...], tmp_path: Path) -> None:
    """Its rows would replace those of the workers, which have the same names."""
    result = CliRunner().invoke(main, [*command, "--data", str(tmp_path / "data")])
    assert result.exit_code == 2
    assert f"broker is set ({NOBODY})" in result.stderr
    assert not (tmp_path / "data").exists()
