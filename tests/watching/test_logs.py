"""Log lines: one each, readable by people and by machines, and nothing of a person in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.logs import clean, configure
from pipeline.store.errors import StoreUnavailableError


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What is logged, with logging put back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before


def fail(error: Exception) -> None:
    try:
        raise error
    except Exception:
        logging.getLogger("agents.store").exception("cannot go on at %s", "hits-0")


def test_a_json_line_has_its_parts(said: io.StringIO) -> None:
    configure("json", stream=said)
    fail(StoreUnavailableError("disk\nfull"))
    (line,) = said.getvalue().splitlines()
    record = json.loads(line)
    at = record.pop("at")
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "error",
        "logger": "agents.store",
        "message": "cannot go on at hits-0",
        "error": "StoreUnavailableError: disk full",
    }
    assert at[0].startswith("test_logs.py:")
    assert at[0].endswith(" fail")


def test_a_text_line_is_one_line_too(said: io.StringIO) -> None:
    configure("text", stream=said)
    fail(OSError(28, "No space left on device"))
    logging.getLogger("pipeline.x").warning("two\nlines")
    first, second = said.getvalue().splitlines()
    assert (
        "error agents.store: cannot go on at hits-0 | OSError: [Errno 28] No space left on device | at"
        in first
    )
    assert second.endswith("warning pipeline.x: two lines")


def test_what_a_foreign_error_says_may_be_a_hit_and_is_left_out(said: io.StringIO) -> None:
    configure("json", stream=said)
    fail(KeyError("user-4711 bought a ring"))
    assert json.loads(said.getvalue())["error"] == "KeyError"
    assert "4711" not in said.getvalue()


def test_warnings_are_said_and_what_is_less_is_not_each_once(said: io.StringIO) -> None:
    configure("text", stream=io.StringIO())
    configure("text", stream=said)
    logging.getLogger("aiokafka").info("chatter")
    logging.getLogger("aiokafka").warning("trouble")
    assert [line.split(": ")[1] for line in said.getvalue().splitlines()] == ["trouble"]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("mail to ann.b+c@example.co.uk failed", "mail to <e-mail> failed"),
        ("from 8.8.4.4 refused", "from <address> refused"),
        ("from 8.8.8.8, refused", "from <address>, refused"),
        ("listens on 127.0.0.1:8088", "listens on 127.0.0.1:8088"),
        ("broker 10.0.0.3 away", "broker 10.0.0.3 away"),
        ("from 2a00:1450:4001:80b::200e refused", "from <address> refused"),
        ("version 25.8.1.5101 at 12:34:56", "version 25.8.1.5101 at 12:34:56"),
        ("GET https://a.example/p?email=x&id=7 failed", "GET https://a.example/p?… failed"),
        ("at https://a.example/p#token=1", "at https://a.example/p?…"),
        ("what? nothing", "what? nothing"),
    ],
)
def test_what_is_cut_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_any_text_is_one_line_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned.splitlines()) <= 1
    assert clean(cleaned) == cleaned


def log(name: str, created: float, message: str, *arguments: object) -> None:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, None)
    record.created = created
    logging.getLogger().handle(record)


def test_a_library_says_the_same_once_a_second(said: io.StringIO) -> None:
    configure("text", stream=said)
    for n in range(20):
        log("aiokafka", 100 + n / 10, "Unable connect to node with id %s", n)
        log("agents.store", 100 + n / 10, "ours %s", n)
    log("aiokafka", 100.5, "something else")
    lines = said.getvalue().splitlines()
    assert [line.rpartition("id ")[2] for line in lines if "Unable" in line] == ["0", "10"]
    assert len([line for line in lines if "ours" in line]) == 20
    assert len([line for line in lines if "something else" in line]) == 1
