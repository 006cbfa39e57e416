"""The summary: figures as they are, shares of the right whole, and something to say about nothing."""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from pipeline.demo.summary import print_summary, summary
from pipeline.store.blocks import to_arrow
from pipeline.store.client import connect
from pipeline.store.figures import Query
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from schemas.outcome import LedgerRow, Outcome
from schemas.session import Session
from schemas.transition import Kind, Transition

Rows = Sequence[tuple[Any, ...]]
LEDGER = [("sessionized", 1_000), ("background", 200), ("late", 34), ("dead_letter", 3), ("bot", 2)]
STAGES = [("buyer3", "awareness", 80, 50), ("buyer3", "decision", 20, 30), ("funnel4", "action", 0, 0)]
ANSWERS: dict[str, Rows] = {
    "FROM ledger": LEDGER,
    "AS mean_duration_seconds": [(400, 90, 40, 41, 12.5, 60.0)],
    "FROM sessions GROUP BY site": [
        ("shop", 300, 200, 90, 30, 61.25, Decimal("1234.5")),
        ("wiki", 100, 0, 0, 0, 0.0, Decimal(0)),
    ],
    "FROM sessions WHERE site = 'shop' GROUP BY channel": [
        ("direct", 250, 30, Decimal(1_000)),
        ("email", 150, 10, Decimal(0)),
    ],
    "WHERE site = 'shop' GROUP BY model": STAGES,
    "FROM dead_letters": [("not_json", 2, "JSON is malformed"), ("missing_field", 1, "no [bold]site[/]")],
    "count() FROM": [(7,)],
}


def answer(sql: str) -> Rows:
    return _find(ANSWERS, sql)


def _find(answers: dict[str, Rows], sql: str) -> Rows:
    return next(rows for part, rows in answers.items() if part in " ".join(sql.split()))


def lines_of(query: Query, data: str = "masir-data") -> list[str]:
    console = Console(width=110, file=io.StringIO())
    console.print(summary(query, data))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def row(lines: list[str], start: str) -> list[str]:
    """The cells of the first line that begins so."""
    return re.split(r"  +", next(line.strip() for line in lines if line.strip().startswith(start)))


def test_ledger_adds_up() -> None:
    lines = lines_of(answer)
    assert "  1,239 received = 1,234 accepted + 0 duplicate + 2 bot + 3 dead letter" in lines
    assert "  1,234 accepted = 1,000 sessionized + 200 background + 34 late" in lines


def test_dead_letters_say_why() -> None:
    lines = lines_of(answer)
    place = lines.index("    2 dead letters not_json: JSON is malformed")
    assert lines[place + 1] == "    1 dead letters missing_field: no [bold]site[/]"
    fine = {**ANSWERS, "FROM ledger": [("sessionized", 1)]}
    assert not any("dead letters" in line for line in lines_of(lambda sql: _find(fine, sql)))


def test_rates_are_of_the_right_whole() -> None:
    """Bounces of the sessions with a view; conversions of all sessions; none where there is no whole."""
    lines = lines_of(answer)
    assert row(lines, "shop") == ["shop", "300", "45.0 %", "10.0 %", "61.2 s", "1,234.50"]
    assert row(lines, "wiki") == ["wiki", "100", "–", "0.0 %", "0.0 s", "0.00"]
    assert row(lines, "direct") == ["direct", "250", "12.0 %", "1,000.00"]


def test_stages_in_the_models_order_with_a_bar() -> None:
    lines = lines_of(answer)
    assert row(lines, "buyer3") == ["buyer3", "awareness", "80", "50", "█" * 24]
    assert row(lines, "decision") == ["decision", "20", "30", "█" * 6]
    assert row(lines, "funnel4") == ["funnel4", "action", "0", "0"]


def test_commands_name_the_data_and_the_dead_letters() -> None:
    lines = lines_of(answer, "my data")
    assert any(line.startswith("  masir verify --data 'my data'") for line in lines)
    assert any("masir dlq ls --data 'my data'" in line for line in lines)
    fine = {**ANSWERS, "FROM ledger": [("sessionized", 1)]}
    assert not any("dlq" in line for line in lines_of(lambda sql: _find(fine, sql)))


@pytest.mark.parametrize(
    ("sites", "option"),
    [
        ([("wiki", 9, 9, 0, 0, 0.0, Decimal(0)), ("shop", 3, 3, 0, 0, 0.0, Decimal(5))], "--site shop "),
        ([("blog", 9, 9, 0, 0, 0.0, Decimal(0)), ("wiki", 3, 3, 0, 0, 0.0, Decimal(0))], "--site blog "),
        ([("mine", 9, 9, 0, 0, 0.0, Decimal(0))], ""),
        ([], ""),
    ],
    ids=["the one that earns", "the largest", "the only one", "none"],
)
def test_commands_ask_about_a_site_that_there_is(sites: Rows, option: str) -> None:
    answers = {**ANSWERS, "FROM sessions GROUP BY site": sites, "GROUP BY channel": [], "GROUP BY model": []}
    lines = lines_of(lambda sql: _find(answers, sql))
    for command in ("map", "funnel"):
        assert any(line.startswith(f"  masir {command} {option}--data masir-data ") for line in lines)
    assert not any("demo" in line for line in lines)


def test_nothing_is_said_to_be_nothing() -> None:
    empty = {**ANSWERS, "FROM ledger": []}
    assert lines_of(lambda sql: _find(empty, sql)) == ["No hits yet."]


def test_print_summary_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(answer, "masir-data")
    assert "Top channels" in capsys.readouterr().out


def test_the_questions_fit_the_real_views(tmp_path: Path) -> None:
    with connect(tmp_path / "store") as client:
        migrate(client)
        set_stages(client, {"buyer3": ["awareness", "consideration", "decision"]})
        sink = Sink(client)
        sessions = [_session("ann", 1, 60_000, converted=True), _session("bob", 1, 0), _session("lea", 0, 0)]
        sessions += [_session(f"reader {number}", 1, 0, site="wiki") for number in range(5)]
        steps = [
            ("ann", "awareness", 0),
            ("ann", "decision", 1),
            ("bob", "awareness", 0),
            ("bob", "awareness", 1),
            ("reader", "awareness", 0, "wiki"),
        ]
        ledger = [
            LedgerRow(0, "shop", Outcome.SESSIONIZED, 5, 1),
            LedgerRow(1, "shop", Outcome.BOT, 2, 1),
            LedgerRow(2, "", Outcome.DEAD_LETTER, 1, 1),
        ]
        sink.insert("sessions", to_arrow("sessions", sessions), "s")
        sink.insert("transitions", to_arrow("transitions", [_transition(*step) for step in steps]), "t")
        sink.insert("ledger", to_arrow("ledger", ledger), "l")
        lines = lines_of(client.query)
    assert "  8 received = 5 accepted + 0 duplicate + 2 bot + 1 dead letter" in lines
    assert row(lines, "shop") == ["shop", "3", "50.0 %", "33.3 %", "20.0 s", "12.50"]
    assert row(lines, "wiki") == ["wiki", "5", "100.0 %", "0.0 %", "0.0 s", "0.00"]
    assert "Top channels of site shop" in lines  # not of both: readers would drown the customers
    assert row(lines, "direct") == ["direct", "3", "33.3 %", "12.50"]
    assert "Stages of site shop: persons" in lines
    assert row(lines, "buyer3") == ["buyer3", "awareness", "2", "1", "█" * 24]
    assert row(lines, "consideration") == ["consideration", "1", "0", "█" * 12]  # as stage_funnel: or beyond
    assert row(lines, "decision") == ["decision", "1", "1", "█" * 12]


def _session(
    visitor: str, views: int, duration_ms: int, *, converted: bool = False, site: str = "shop"
) -> Session:
    text = dict.fromkeys((name for name, kind in Session.__annotations__.items() if kind is str), "")
    numbers = dict.fromkeys((name for name, kind in Session.__annotations__.items() if kind is int), 1)
    session = Session(**text, **numbers, bounced=False, converted=converted, closed=True, withdrawn=False)
    return structs.replace(
        session,
        session_id=visitor,
        site=site,
        channel="direct",
        start_time=1_790_000_000_000,
        page_views=views,
        duration_ms=duration_ms,
        bounced=views == 1 and not converted,
        revenue_micros=12_500_000 if converted else 0,
    )


def _transition(person: str, stage: str, ordinal: int, site: str = "shop") -> Transition:
    time = 1_790_000_000_000
    return Transition(
        site, person, "buyer3", "", stage, Kind.ENTER, time, ordinal, 0, "", "", "", "", False, 1
    )
