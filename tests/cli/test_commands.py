"""Every command explains itself and ends wrong input with a message and a code that says whose turn it is."""

import json
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from pipeline.cli import COMMANDS, main
from pipeline.cli import runner as cli_runner
from pipeline.cli.run import say_started
from pipeline.cli.runner import told
from pipeline.collector.publisher import Unavailable
from pipeline.settings import Settings, SettingsError
from pipeline.store.errors import QueryError, StoreUnavailableError
from tests.cli.kit import NOON, masir

pytestmark = pytest.mark.usefixtures("nowhere")


def commands() -> list[tuple[str, ...]]:
    """Every command, and those within a group of commands."""
    context, found = click.Context(main), list[tuple[str, ...]]()
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        within = list(command.commands) if isinstance(command, click.Group) else []
        found += [(name, one) for one in within] or [(name,)]
    return found


def command_of(names: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in names:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or pytest.fail(name)
    return command


@pytest.mark.parametrize("names", commands(), ids=" ".join)
def test_help_explains_the_command_and_gives_an_example_of_it(names: tuple[str, ...]) -> None:
    result = masir(*names, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"masir {' '.join(names)}" in result.output.partition("Example")[2]
    assert masir(*names, "-h").output == result.output


@pytest.mark.parametrize("names", commands(), ids=" ".join)
def test_every_option_says_what_it_is(names: tuple[str, ...]) -> None:
    for parameter in command_of(names).params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_help_lists_every_command_in_the_order_of_a_first_day() -> None:
    output = masir("--help").output
    lines = [line for name in COMMANDS for line in output.splitlines() if line.startswith(f"  {name} ")]
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    places = [output.index(line) for line in lines]
    assert places == sorted(places)


def test_version() -> None:
    assert masir("--version").output.startswith("masir, version ")


def test_an_unknown_command_ends_with_2() -> None:
    result = masir("nonesuch")
    assert (result.exit_code, "No such command 'nonesuch'" in result.output) == (2, True)


@pytest.mark.parametrize(
    "arguments", [("process", "-"), ("run",), ("sql", "SELECT 1"), ("doctor",), ("dlq", "ls")]
)
def test_a_wrong_setting_ends_with_2_and_is_named(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MASIR_PARTITIONS", "0")
    result = masir(*arguments)
    assert result.exit_code == 2
    assert "partitions" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (QueryError("x"), 2),
        (StoreUnavailableError("x"), 1),
        (Unavailable("x"), 1),
        (OSError("x"), 2),
        (OSError(2, "x"), 2),
    ],
)
def test_the_code_says_whether_trying_again_may_help(error: Exception, code: int) -> None:
    assert isinstance(error, cli_runner.KNOWN_ERRORS)
    ended = told(error)
    assert (ended.exit_code, ended.message) == (code, "x")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("process",), "Missing argument"),
        (("process", "nowhere.ndjson"), "nowhere.ndjson"),
        (("process", "-", "--format", "xml"), "xml"),
        (("process", "visits.csv", "--map", "visitor_id"), "visitor_id"),
        (("sql",), "QUERY or --export"),
        (("dlq", "show", "--data", "none"), "LETTER"),
        (("dlq", "ls", "--reason", "odd"), "not_json"),
        (("schema", "nonesuch"), "dead_letter"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_is_allowed(arguments: tuple[str, ...], says: str) -> None:
    Path("visits.csv").write_text("a,b\n1,2\n")
    result = masir(*arguments)
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output


def test_schema_prints_json_schema_of_one_record_or_of_all() -> None:
    hit = json.loads(masir("schema", "hit").output)
    assert hit["$schema"].endswith("2020-12/schema")
    assert hit["$ref"] == "#/$defs/Hit"
    properties = hit["$defs"]["Hit"]["properties"]
    assert (properties["props"]["type"], properties["items"]["type"]) == ("object", "array")
    assert hit["$defs"]["Hit"]["required"] == ["site", "event"]
    every = json.loads(masir("schema").output)
    assert every["hit"] == hit
    assert every.keys() >= {"session", "session_move", "transition", "counter", "dead_letter", "ledger"}


def test_doctor_of_nothing_says_what_to_do() -> None:
    result = masir("doctor", "--data", "none", "--json")
    said = json.loads(result.output)
    findings = {one["what"]: one for one in said["findings"]}
    assert (result.exit_code, said["well"]) == (1, False)
    assert "masir run" in findings["data"]["advice"]
    assert findings["settings"]["advice"] == findings["stage models"]["advice"] == ""


def _hits() -> str:
    """A small file: a visit with an order that was sent twice, and two dead letters."""
    order = {"site": "shop", "event": "purchase", "visitor_id": "ann", "time": NOON + 1, "revenue": 10.5}
    hits = [
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON},
        order | {"hit_id": "h1"},
        order | {"hit_id": "h1"},
        {"event": "page_view", "visitor_id": "bob", "time": NOON},
    ]
    Path("hits.ndjson").write_text("\n".join([*map(json.dumps, hits), "not JSON"]))
    return "hits.ndjson"


def test_from_a_file_to_answers_and_a_mended_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """process, sql, dlq, verify and doctor on one small data directory, as a person would."""
    summary = json.loads(masir("process", _hits(), "--data", "d", "--json").output)
    figures = ("received", "accepted", "duplicate", "bot", "dead_letter", "sessionized", "background", "late")
    assert [summary[name] for name in figures] == [5, 2, 1, 0, 2, 2, 0, 0]
    assert [summary[name] for name in ("sessions", "bounced", "converted", "revenue")] == [1, 1, 1, 10.5]
    assert summary["hits_read"] == 5

    listed = json.loads(masir("dlq", "ls", "--data", "d", "--json").output)["letters"]
    assert sorted(letter["reason"] for letter in listed) == ["missing_field", "not_json"]
    (mendable,) = [letter["id"] for letter in listed if letter["reason"] == "missing_field"]
    lines = masir("dlq", "ls", "--data", "d", "--limit", "1").output.splitlines()
    assert [len(line.split("\t")) for line in lines] == [7, 7, 1]  # plain, and ids are whole
    assert lines[1].split("\t")[0] == listed[0]["id"]
    assert lines[2] == (
        "2 dead letters: 1 missing_field, 1 not_json; the newest 1 are shown, --limit shows more"
    )
    assert masir("dlq", "ls", "--data", "d", "--reason", "not_json").output.endswith(
        "\n1 dead letters: 1 not_json\n"
    )
    shown = masir("dlq", "show", mendable, "--data", "d").output
    assert "reason: missing_field" in shown
    assert '"visitor_id": "bob"' in shown
    as_json = json.loads(masir("dlq", "show", mendable, "--data", "d", "--json").output)
    assert (as_json["id"], as_json in listed) == (mendable, True)
    assert masir("dlq", "show", "dlq-hits-9-9", "--data", "d").exit_code == 2

    unmended = masir("dlq", "replay", "--data", "d", "--json")
    assert json.loads(unmended.output) == {"letters": 2, "replayed": 0, "still_unreadable": 2}
    for replayed in (1, 0):  # the second time there is nothing left to bring in
        mended = masir(
            "dlq", "replay", "--data", "d", "--set", "site=shop", "--reason", "missing_field", "--json"
        )
        assert json.loads(mended.output)["replayed"] == replayed
    counted = masir("sql", "SELECT count() AS n FROM sessions", "--data", "d", "--format", "JSONEachRow")
    assert json.loads(counted.output) == {"n": 2}

    verified = masir("verify", "--data", "d", "--json")
    assert (verified.exit_code, json.loads(verified.output)["agrees"]) == (0, True)
    assert "Recomputed with" not in masir("verify", "--data", "d").output
    with monkeypatch.context() as others:
        others.setenv("MASIR_BOUNCE", "ga4")
        others.setenv("MASIR_PERSON_MAX_VISITORS", "7")
        differs = masir("verify", "--data", "d")
    said = (
        "Recomputed with session_timeout_seconds = 1800.0, bounce = ga4, person_max_visitors = 7.\nRows that"
    )
    assert (differs.exit_code, said in differs.output) == (1, True)
    doctor = _doctor()
    assert doctor["ledger"]["advice"] == doctor["topics"]["advice"] == doctor["store"]["advice"] == ""
    assert "masir dlq" in doctor["dead letters"]["advice"]
    assert doctor["dead letters"]["says"] == "2, 1 of them new and not mended"


def test_a_letter_whose_time_is_none_stays_where_it_is() -> None:
    hit = {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": 10**18}
    Path("far.ndjson").write_text(json.dumps(hit))
    masir("process", "far.ndjson", "--data", "d")
    again = json.loads(masir("dlq", "replay", "--data", "d", "--json").output)
    assert again == {"letters": 1, "replayed": 0, "still_unreadable": 1}
    wrong = masir("dlq", "replay", "--data", "d", "--set", "tiem=0")
    assert (wrong.exit_code, "there is site, event," in wrong.stderr) == (2, True)
    mended = json.loads(masir("dlq", "replay", "--data", "d", "--set", "time=1760000000000", "--json").output)
    assert mended == {"letters": 1, "replayed": 1, "still_unreadable": 0}


def _doctor() -> dict[str, dict[str, str]]:
    said = json.loads(masir("doctor", "--data", "d", "--json").output)
    return {one["what"]: one for one in said["findings"]}


def test_the_summary_for_people_has_no_progress_bar_in_a_pipe() -> None:
    result = masir("process", _hits(), "--data", "d")
    assert result.exit_code == 0
    assert "5 hits in" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({}, "http://127.0.0.1:8088/"),
        ({"listen": "0.0.0.0:8088"}, "closed: MASIR_PAGE_TOKEN opens it (it shows persons)"),
        ({"listen": "0.0.0.0:8088", "page_token": 16 * "x"}, "http://0.0.0.0:8088/"),
        ({"listen": "0.0.0.0:8088", "metrics_listen": "127.0.0.1:9101"}, "http://127.0.0.1:9101/"),
        ({"metrics_listen": "0.0.0.0:9101"}, "closed: MASIR_PAGE_TOKEN opens it (it shows persons)"),
    ],
)
def test_run_names_the_page_only_where_somebody_can_see_it(
    settings: dict[str, str], page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.run.program", lambda: ".venv/bin/masir")
    say_started(SimpleNamespace(settings=Settings(**settings), port=8088))
    lines = capsys.readouterr().out.splitlines()
    assert f"  page     {page}" in lines
    assert lines[-1].startswith("  ask      .venv/bin/masir sql --data masir-data ")


def test_erase_says_when_nobody_was_known() -> None:
    masir("process", _hits(), "--data", "d")
    said = [masir("erase", "--site", "shop", "--visitor", "ann", "--data", "d").output for _ in range(2)]
    assert ["Nobody of that id is known" in one for one in said] == [False, True]
