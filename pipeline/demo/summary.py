"""What a run found, for a person to read: ledger, sessions, channels, stage funnels, and what to do next.

Reads the store's views through ``query(sql) -> rows``.
"""

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.store.figures import Query, figures

_BAR_CHARS = 24
_MAX_WIDTH = 110

_SITES = """
SELECT site, count(), countIf(page_views > 0), countIf(bounced), countIf(converted), avg(duration_ms) / 1000,
       sum(revenue)
FROM sessions GROUP BY site ORDER BY count() DESC, site LIMIT 8
"""
_CHANNELS = """
SELECT channel, count(), countIf(converted), sum(revenue)
FROM sessions GROUP BY channel ORDER BY count() DESC, channel LIMIT 8
"""
_STAGES = """
SELECT s.model, s.stage, t.persons, n.persons
FROM stages AS s
LEFT ANY JOIN
    (
        SELECT model, to_stage, uniqExact(site, person_id) AS persons
        FROM transitions GROUP BY model, to_stage
    ) AS t
    ON t.model = s.model AND t.to_stage = s.stage
LEFT ANY JOIN
    (
        SELECT model, stage, count() AS persons
        FROM
        (
            SELECT model, argMax(to_stage, (time, ordinal)) AS stage
            FROM transitions GROUP BY site, person_id, model
        )
        GROUP BY model, stage
    ) AS n
    ON n.model = s.model AND n.stage = s.stage
ORDER BY s.model, s.position
"""


def print_summary(query: Query, data: str, program: str = "masir") -> None:
    """To standard output; no wider than it is read easily."""
    console = Console()
    width = min(console.width, _MAX_WIDTH) if console.is_terminal else _MAX_WIDTH
    console.print(summary(query, data, program), width=width, crop=False)


def summary(query: Query, data: str, program: str = "masir") -> RenderableType:
    """``data``: the data directory, ``program``: how to call masir, for the commands to go on with."""
    found = figures(query)
    if not found["received"]:
        return Text("No hits yet.")
    sites = query(_SITES)
    return Group(
        Text(),
        *_ledger(found),
        Text(),
        _sites(sites),
        Text(),
        _channels(query(_CHANNELS)),
        Text(),
        _stages(query(_STAGES)),
        Text(),
        *_commands(data, program, sites, dead_letters=bool(found["dead_letter"])),
    )


def _ledger(found: dict[str, int | float]) -> Iterator[Text]:
    yield Text("Ledger: every hit has one outcome", style="bold")
    yield _sum(found, "received", ("accepted", "duplicate", "bot", "dead_letter"))
    yield _sum(found, "accepted", ("sessionized", "background", "late"))


def _sum(found: dict[str, int | float], total: str, parts: tuple[str, ...]) -> Text:
    terms = " + ".join(f"{found[part]:,} {part.replace('_', ' ')}" for part in parts)
    return Text(f"  {found[total]:,} {total} = {terms}")


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2)
    )
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _sites(rows: Sequence[tuple[Any, ...]]) -> Table:
    table = _table("Sessions", "site", "sessions", "bounce rate", "conversion", "mean duration", "revenue")
    for site, sessions, viewed, bounced, converted, seconds, revenue in rows:
        table.add_row(
            site,
            f"{sessions:,}",
            _share(bounced, viewed),
            _share(converted, sessions),
            f"{seconds:,.1f} s",
            f"{revenue:,.2f}",
        )
    return table


def _channels(rows: Sequence[tuple[Any, ...]]) -> Table:
    table = _table("Top channels", "channel", "sessions", "conversion", "revenue")
    for channel, sessions, converted, revenue in rows:
        table.add_row(channel, f"{sessions:,}", _share(converted, sessions), f"{revenue:,.2f}")
    return table


def _stages(rows: Sequence[tuple[Any, ...]]) -> Table:
    """How many ever were in a stage, and how many are in it now; the bar compares within the model."""
    table = _table("Stages: persons", "model", "stage", "reached", "now")
    table.columns[1].justify = "left"
    table.add_column("")
    for model, stages in groupby(rows, key=lambda row: row[0]):
        group = list(stages)
        most = max(reached for _, _, reached, _ in group) or 1
        for place, (_, stage, reached, now) in enumerate(group):
            bar = "█" * round(_BAR_CHARS * reached / most)
            table.add_row("" if place else model, stage, f"{reached:,}", f"{now:,}", Text(bar, style="cyan"))
    return table


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _commands(
    data: str, program: str, sites: Sequence[tuple[Any, ...]], *, dead_letters: bool
) -> Iterator[Text]:
    """Where there are several sites, those that ask about one ask about that which earns most."""
    where = f"--data {shlex.quote(data)}"
    site, *_ = max(sites, key=lambda row: (row[-1], row[1]), default=("",))
    one = f"--site {site} {where}" if len(sites) > 1 else where
    yield Text("Go on", style="bold")
    yield _command(f'{program} sql "SELECT * FROM sessions ORDER BY revenue DESC LIMIT 5" {where}')
    yield _command(f"{program} map {one}", "the journey map, to print")
    yield _command(f"{program} funnel {one}", "where people are stuck")
    yield _command(f"{program} verify {where}", "recomputes all of this in SQL and compares")
    if dead_letters:
        yield _command(f"{program} dlq ls {where}", "what could not be read, and why")
    yield _command(f"{program} run {where}", "the same, live: then send hits to it")


def _command(line: str, comment: str = "") -> Text:
    """Never wrapped, so that it can be copied."""
    return Text(f"  {line}" + (f"   # {comment}" if comment else ""), no_wrap=True, overflow="ignore")
