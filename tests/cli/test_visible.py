"""What strangers have sent cannot speak to the terminal of who looks at it."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.cli.runner import visible
from pipeline.cli.verify import _show
from pipeline.journey.tables import show, table
from pipeline.store.verify import Difference

EVIL = "\x1b]0;owned\x07\t\r\nfake: line\x9b31m\u202e[red]x"


@given(st.text())
def test_only_printable_characters_are_left(text: str) -> None:
    assert visible(text).isprintable()


def test_letters_and_words_of_any_language_stay() -> None:
    assert visible("مسیر päth [red] 日本") == "مسیر päth [red] 日本"
    assert visible("a\x1b\nb") == "a\\x1b\\nb"


@pytest.mark.parametrize("command", [["ls"], ["show", "dlq-hits-0-1"]])
def test_dead_letters_are_shown_harmless(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    letter = {
        "topic": "hits", "partition": 0, "offset": 1, "reason": "bad_value", "field": EVIL, "message": EVIL,
        "site": EVIL, "received_time": "2026-11-22 00:00:00", "raw": "GxtbMzFt", "id": "dlq-hits-0-1", "came_in": 0,
        "letters": 1,
    }  # fmt: skip
    monkeypatch.setattr("pipeline.cli.dlq._asked", lambda _, *queries: [[letter] for _ in queries])
    result = CliRunner().invoke(main, ["dlq", *command, "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = result.output.replace("\t", " ").split("\n")  # tabs are ours: the sender's are escaped
    assert not [line for line in lines if any(ord(one) < 32 or 127 <= ord(one) < 160 for one in line)]
    assert "fake: line" not in [line.strip() for line in lines]


NAMES = "[/x] [red]y[/red] :smile:"


def test_names_that_look_like_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    made = table("t", "campaign", "n")
    made.add_row(visible(NAMES), "1")
    show(made)
    assert NAMES in capsys.readouterr().out


def test_differences_of_strangers_words_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    difference = Difference("sessions", {"visitor": f"{NAMES}\x1b"}, {"hits": 1}, None)
    _show({"sessions": [difference]}, [difference])
    said = capsys.readouterr().out
    assert "[/x]" in said
    assert "[red]y[/red]" in said
    assert "\x1b" not in said
