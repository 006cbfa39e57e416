"""Which store the settings mean, and that every command asks there."""

import ast
from pathlib import Path

import pytest

from pipeline.settings import load
from pipeline.store.client import STORE_DIRECTORY, Server
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
