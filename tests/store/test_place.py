"""Which store the settings mean, and that every command asks there."""

import ast
import resource
from pathlib import Path

import pytest

from pipeline.settings import load
from pipeline.store import disk
from pipeline.store.client import STORE_DIRECTORY, Server, connect
from pipeline.store.errors import StoreLockedError, StoreUnavailableError
from pipeline.store.place import place_of

ROOT = Path(__file__).resolve().parents[2]
ONLY_OF_A_DIRECTORY = {"open_reader", "connect", "STORE_DIRECTORY"}


def test_without_a_server_it_is_in_the_data_directory() -> None:
    assert place_of(load({"MASIR_DATA": "somewhere"})) == Path("somewhere") / STORE_DIRECTORY


def test_a_server_is_all_that_the_settings_say_of_it() -> None:
    given = {"url": "https://me@host:8443/db", "password": "p", "cluster": "main", "ca_file": "ca.pem",
             "cert_file": "me.pem", "key_file": "me.key"}  # fmt: skip
    names = {"url": "MASIR_CLICKHOUSE"} | {
        name: f"MASIR_CLICKHOUSE_{name.upper()}" for name in given if name != "url"
    }
    assert place_of(load({names[name]: value for name, value in given.items()})) == Server(**given)


def test_a_disk_that_is_almost_full_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(StoreUnavailableError, match=r"data: \d+ MB are free on its disk, \d+ are needed"):
        connect(tmp_path / "data" / STORE_DIRECTORY)
    assert not (tmp_path / "data" / STORE_DIRECTORY).exists()


def test_the_engine_may_open_as_many_files_as_the_system_lets(tmp_path: Path) -> None:
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(few, 1_000), most))
    try:
        connect(tmp_path / STORE_DIRECTORY).close()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))


def test_what_cannot_be_opened_is_not_said_to_be_held_by_another_process(tmp_path: Path) -> None:
    (tmp_path / STORE_DIRECTORY).write_text("a file")
    with pytest.raises(StoreLockedError) as caught:
        connect(tmp_path / STORE_DIRECTORY)
    assert "another process" not in str(caught.value)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("pipeline/cli/*.py"), *ROOT.glob("agents/*.py")], ids=lambda path: path.name
)
def test_nobody_goes_past_the_settings(path: Path) -> None:
    """A command that opens the data directory's store itself does not see that it is on a server."""
    imported = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pipeline.store.")
        for alias in node.names
    }
    assert not imported & ONLY_OF_A_DIRECTORY, "pipeline.store.place has open_store and reader_of"
