"""``masir models``: what it prints, and that a wrong file or name ends with code 2 and says where."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.model_files import builtin_texts

NAMES = ["buyer3", "classic5", "digital8", "funnel4", "loyalty5"]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASIR_CONFIG", "MASIR_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def own_model(path: Path, old: str = "", new: str = "", name: str = "mine") -> str:
    text = builtin_texts()["funnel4.toml"].replace('name = "funnel4"', f'name = "{name}"')
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else text, "utf-8")
    return str(path)


def test_check_without_a_file_checks_the_models_in_force() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert [line.partition(".toml: ")[0] for line in result.output.splitlines()] == NAMES


def test_check_of_a_good_file(tmp_path: Path) -> None:
    file = own_model(tmp_path / "mine.toml")
    result = run("check", file)
    assert (result.exit_code, result.output) == (0, f"{file}: mine is right, 4 stages, 7 rules\n")


def test_check_of_a_built_in_file_does_not_find_it_twice(tmp_path: Path) -> None:
    file = tmp_path / "funnel4.toml"
    file.write_text(builtin_texts()["funnel4.toml"], "utf-8")
    assert run("check", str(file)).exit_code == 0


def test_check_names_every_wrong_file_and_line(tmp_path: Path) -> None:
    good = own_model(tmp_path / "good.toml")
    first = own_model(tmp_path / "a.toml", "lapse_days = 30", "lapse_days = 0")
    second = own_model(tmp_path / "b.toml", "fallback = true", "fallbak = true")
    result = run("check", first, good, second)
    assert result.exit_code == 2
    line_a, line_b = result.output.splitlines()
    assert line_a.startswith(f"Error: {first}:5: `lapse_days` is 0")
    assert line_b.startswith(f"{second}:")
    assert "unknown field `fallbak`" in line_b


def test_check_refuses_the_name_of_a_built_in_model(tmp_path: Path) -> None:
    result = run(
        "check", own_model(tmp_path / "mine.toml", "lapse_days = 30", "lapse_days = 31", name="funnel4")
    )
    assert result.exit_code == 2
    assert "the model `funnel4` is already in" in result.output


def test_check_refuses_what_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b'name = "x"\ndescription = "caf\xe9"\n')
    result = run("check", str(file))
    assert (result.exit_code, f"{file}:2: this is not UTF-8" in result.output) == (2, True)


def test_check_of_no_file() -> None:
    assert run("check", "no-such-file.toml").exit_code == 2


def test_show_lists_all_models() -> None:
    result = run("show")
    assert result.exit_code == 0
    assert all(name in result.output for name in NAMES)
    assert "Awareness → Interest → Consideration → Action" in result.output


@pytest.mark.parametrize(
    ("language", "label"), [("en", "Advocacy"), ("fa", "هواداری"), ("ar", "مناصرة العلامة")]
)
def test_show_speaks_three_languages(language: str, label: str) -> None:
    result = run("show", "classic5", "--lang", language)
    assert result.exit_code == 0
    assert label in result.output


def test_show_says_all_conditions_of_a_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = """name = "all"
url = ["/x"]
channel = ["email"]
goal = false
props = { kind = "a" }
score = { metric = "csat", max = 4 }
orders = { min = 2, max = 2 }
count = { min = 3, days = 7 }
since = { of = "previous", min_days = 1 }
back = true"""
    file = own_model(tmp_path / "mine.toml", 'name = "conversion"', rule)
    monkeypatch.setenv("MASIR_MODELS", file)
    monkeypatch.setenv("COLUMNS", "400")
    result = run("show", "mine")
    assert result.exit_code == 0, result.output
    for words in (
        "url /x", "channel email", "no goal", "props.kind a", "csat 0 to 4", "orders: 2", "3 times in 7 days",
        "days since the evidence before: 1 or more", "may move back", "if no other rule holds",
    ):  # fmt: skip
        assert words in result.output


def test_show_as_json() -> None:
    shown = json.loads(run("show", "digital8", "--json").output)
    assert [stage["id"] for stage in shown["stages"]][-1] == "promoter"
    assert shown["stages"][0]["rules"][0]["fallback"] is True
    assert set(shown["labels"]) == {"en", "fa", "ar"}
    assert [model["name"] for model in json.loads(run("show", "--json").output)["models"]] == NAMES


def test_show_of_an_unknown_model_names_the_known_ones() -> None:
    result = run("show", "classic6")
    assert (result.exit_code, "buyer3, classic5" in result.output) == (2, True)


@pytest.mark.parametrize("command", [["--help"], ["check", "--help"], ["show", "--help"]])
def test_help_has_an_example(command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "masir models" in result.output
