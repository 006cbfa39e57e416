"""``masir sites``: what it prints, what it never prints, and where it ends with code 2."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.collector.sites.keys import hash_of


def masir(*arguments: str | Path, stdin: str = "", **environ: str) -> Result:
    return CliRunner().invoke(main, ["sites", *map(str, arguments)], input=stdin, env=environ)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    file = tmp_path / "sites.toml"
    file.write_text(
        f'[shop]\norigins = ["https://shop.example"]\nkeys.segment = ["wk_public"]\n'
        f'server_keys.segment = ["{hash_of("x" * 20)}"]\nsecrets.mailgun = "env:NAME_OF_IT"\n'
    )
    return file


def test_check_says_how_many(registry: Path) -> None:
    assert masir("check", registry).output == f"{registry}: 1 sites are right\n"
    assert masir("check", MASIR_SITES=str(registry)).exit_code == 0


def test_check_names_file_and_line(registry: Path) -> None:
    registry.write_text("[shop]\norigins = 1\n")
    result = masir("check", registry)
    assert (result.exit_code, f"{registry}:2:" in result.output) == (2, True)


def test_without_a_registry_it_says_what_to_do() -> None:
    result = masir("check")
    assert result.exit_code == 2
    assert "set `sites`" in result.output


def test_show_shows_no_secret(registry: Path) -> None:
    for arguments in (("show", registry), ("show", registry, "--json")):
        result = masir(*arguments)
        assert result.exit_code == 0, result.output
        assert "shop" in result.output
        assert "blake2b:" not in result.output
        assert "NAME_OF_IT" not in result.output
    (shop,) = json.loads(result.output)["sites"]
    assert (shop["server_keys"], shop["secrets"]) == ({"segment": 1}, ["mailgun"])


def test_show_cuts_nothing(registry: Path) -> None:
    """As a table it did: eight columns do not fit into a terminal."""
    names = [f"https://shop-{number}.example" for number in range(9)]
    registry.write_text(f"[shop]\norigins = {json.dumps(names)}\nkeys.matomo = ['1', '2']\n")
    lines = masir("show", registry).output.splitlines()
    assert [lines[0], lines[1], lines[3]] == [
        "shop",
        f"  origins       {', '.join(names)}",
        "  browser keys  matomo 1, matomo 2",
    ]


def test_key_shows_the_key_once_and_the_line_that_belongs_into_the_registry(tmp_path: Path) -> None:
    output = masir("key", "segment").output
    secret = output.splitlines()[0].rpartition(" ")[2]
    line = output.splitlines()[-1]
    assert line == f'  server_keys.segment = ["{hash_of(secret)}"]'
    file = tmp_path / "sites.toml"
    file.write_text(f"[shop]\n{line}\n")
    assert masir("check", file).exit_code == 0


def test_a_key_of_ones_own_is_hashed_and_not_repeated() -> None:
    result = masir("key", "segment", "--own", stdin="the write key of years ago\n")
    assert hash_of("the write key of years ago") in result.output
    assert "years ago" not in result.output
    short = masir("key", "--own", stdin="short\n")
    assert (short.exit_code, "at least 20" in short.output) == (2, True)
    misspelt = masir("key", "segmnet")
    assert (misspelt.exit_code, "there is segment" in misspelt.output) == (2, True)
    assert "server_keys" not in misspelt.output
