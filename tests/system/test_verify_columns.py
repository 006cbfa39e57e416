"""Each column of each kind of row that the stream says, changed in a row of its own: ``masir verify`` names that
row and that column, and no other.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.core.persons.attribution import MODELS as RULES
from pipeline.demo.simulator import simulate

from .kit import T0, ask_all, process, verify, write_lines, write_to_store

STAGES = ("classic5", "digital8", "funnel4", "buyer3", "loyalty5")
TEXTS = (
    "entry_url", "exit_url", "referrer", "channel", "campaign_source", "campaign_medium", "campaign_name",
    "campaign_term", "campaign_content", "campaign_id", "device", "browser", "os", "country", "language",
)  # fmt: skip
NUMBERS = ("duration_ms", "hits", "page_views", "bounced", "converted", "conversions")
CAUSES = ("cause_event", "cause_url", "cause_channel", "cause_session_id")
COUNTS = ("sessions", "counted", "bounced", "converted", "duration_ms")


def other(column: str) -> str:
    return f"concat({column}, '~')"


def more(column: str) -> str:
    return f"{column} + 1"


def later(column: str) -> str:
    return f"{column} + INTERVAL 1 MILLISECOND"


class Kind(NamedTuple):
    """``changes``: stored column -> its other value and what verify calls the column. ``rows``: those to choose from.

    ``names``: the columns that name a row, as they are stored.
    """

    check: str
    table: str
    names: str
    rows: str
    changes: dict[str, tuple[str, str]]


def _same(columns: Iterable[str], change: Any) -> dict[str, tuple[str, str]]:
    return {column: (change(column), column) for column in columns}


NO_BUYER = "(site, person_id) NOT IN (SELECT site, person_id FROM attribution)"
KINDS = [
    Kind(
        "sessions",
        "sessions_rows",
        "start_time",
        f"closed = 1 AND {NO_BUYER}",  # a visit of a buyer is a touch, too
        _same(TEXTS, other)
        | _same(NUMBERS, more)
        | {
            "end_time": (later("end_time"), "end_time"),
            "revenue_micros": (more("revenue_micros"), "revenue"),
        },
    ),
    Kind(
        "counters",
        "counters_rows",
        "pane_start, channel",
        "channel != 'all' AND sessions != 0",
        _same(COUNTS, more) | {"revenue_micros": (more("revenue_micros"), "revenue")},
    ),
    *(
        Kind(
            f"transitions.{model}",
            "transitions_rows",
            "person_id, time, ordinal",
            f"model = '{model}' AND kind = 'advance'",
            _same((*CAUSES, "from_stage", "to_stage"), other)
            | {"kind": ("'loop'", "kind"), "dwell_ms": (more("dwell_ms"), "dwell_ms")},
        )
        for model in STAGES
    ),
    Kind(
        "signals",
        "signals_rows",
        "person_id, reason, ordinal",
        "state = 'cleared'",
        {"state": ("'raised'", "state"), "score": ("score + 0.5", "score"), "evidence": ("'{}'", "evidence")},
    ),
    Kind(
        "attribution",
        "attribution_rows",
        "person_id, time, event, order_id, copy, touch_number",
        "1",
        _same([f"{rule}_{unit}" for rule in RULES for unit in ("ppm", "micros")], more)
        | _same(("channel", "currency", "session_id"), other)
        | {"touches": (more("touches"), "touches"), "touch_time": (later("touch_time"), "touch_time")},
    ),
    Kind(
        "links",
        "links_rows",
        "visitor_id",
        "length(users) = 1",
        {"since": (f"[{later('since[1]')}]", "since")},
    ),
    Kind("ledger", "ledger_rows", "site, outcome", "outcome = 'sessionized'", {"hits": ("hits + 1", "hits")}),
]


def _tampering(kind: Kind) -> str:
    """The n-th change goes into the n-th row."""
    changed = ", ".join(
        f"if(number = {n}, {value}, {column}) AS {column}"
        for n, (column, (value, _)) in enumerate(kind.changes.items(), start=1)
    )
    return (
        f"INSERT INTO {kind.table} SELECT * EXCEPT (number) REPLACE ({changed}, version + 1 AS version)"
        f" FROM (SELECT *, row_number() OVER (ORDER BY {kind.names}) AS number FROM {kind.table} FINAL"
        f" WHERE {kind.rows}) WHERE number <= {len(kind.changes)}"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("columns")
    hits, _ = simulate(seed=5, customers=60, start_ms=T0, days=40)
    process(directory / "data", write_lines(directory / "hits.ndjson", hits))
    return directory / "data"


@pytest.fixture(scope="module")
def named(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Check -> what verify says of the store in which all was changed."""
    counts = (f"SELECT count() AS n FROM {kind.table} FINAL WHERE {kind.rows}" for kind in KINDS)
    for kind, (found,) in zip(KINDS, ask_all(data, *counts), strict=True):
        assert found["n"] >= len(kind.changes), kind.check
    write_to_store(data, *map(_tampering, KINDS))
    said: dict[str, list[dict[str, Any]]] = {}
    for one in verify(data)["differences"]:
        said.setdefault(one["check"], []).append(one)
    return said


@pytest.mark.parametrize("kind", KINDS, ids=[kind.check for kind in KINDS])
def test_each_column_is_named_in_its_row(named: dict[str, list[dict[str, Any]]], kind: Kind) -> None:
    differing = [tuple(one["stream"]) for one in named[kind.check]]
    assert sorted(differing) == sorted((name,) for _, name in kind.changes.values())
    assert all(one["stream"].keys() == one["batch"].keys() for one in named[kind.check])
