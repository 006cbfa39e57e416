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
from pipeline.store.sql import text as literal

_BAR_CHARS = 24
_MAX_WIDTH = 110

_SITES = """
SELECT site, count(), countIf(page_views > 0), countIf(bounced), countIf(converted), avg(duration_ms) / 1000,
       sum(revenue)
FROM sessions GROUP BY site ORDER BY count() DESC, site LIMIT 8
"""
_LETTERS = """
SELECT reason, count(), replaceRegexpAll(min(message), '[^[:print:]]', '?')
FROM dead_letters GROUP BY reason ORDER BY count() DESC, reason
"""
_CHANNELS = """
SELECT channel, count(), countIf(converted), sum(revenue)
FROM sessions {where} GROUP BY channel ORDER BY count() DESC, channel LIMIT 8
"""
_STAGES = """
SELECT model, stage, sum(reached), sum(persons_now)
FROM stage_funnel LEFT ANY JOIN stage_figures USING (site, model, stage)
{where} GROUP BY model, stage, position ORDER BY model, position
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
    site = _main(sites)
    of, where = (f" of site {site}", f"WHERE site = {literal(site)}") if site else ("", "")
    return Group(
        Text(),
        *_ledger(found),
        *(_letters(query(_LETTERS)) if found["dead_letter"] else ()),
        Text(),
        _sites(sites),
        Text(),
        _channels(f"Top channels{of}", query(_CHANNELS.format(where=where))),
        Text(),
        _stages(f"Stages{of}: persons", query(_STAGES.format(where=where))),
        Text(),
        *_commands(data, program, site, dead_letters=bool(found["dead_letter"])),
    )


def _main(sites: Sequence[tuple[Any, ...]]) -> str:
    """Of several sites that which earns most: sums over sites would be true of none. "" where there is one."""
    return max(sites, key=lambda row: (row[-1], row[1]))[0] if len(sites) > 1 else ""


def _ledger(found: dict[str, int | float]) -> Iterator[Text]:
    yield Text("Ledger: every hit has one outcome", style="bold")
    yield _sum(found, "received", ("accepted", "duplicate", "bot", "dead_letter"))
    yield _sum(found, "accepted", ("sessionized", "background", "late"))


def _letters(rows: Sequence[tuple[Any, ...]]) -> Iterator[Text]:
    """Why hits could not be read, and what was said of one of each kind."""
    for reason, letters, message in rows:
        yield Text(f"    {letters:,} dead letters {reason}: {message}", no_wrap=True, overflow="ellipsis")


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


def _channels(title: str, rows: Sequence[tuple[Any, ...]]) -> Table:
    table = _table(title, "channel", "sessions", "conversion", "revenue")
    for channel, sessions, converted, revenue in rows:
        table.add_row(channel, f"{sessions:,}", _share(converted, sessions), f"{revenue:,.2f}")
    return table


def _stages(title: str, rows: Sequence[tuple[Any, ...]]) -> Table:
    """How many came to a stage or beyond, and how many are in it now; the bar compares within the model."""
    table = _table(title, "model", "stage", "reached", "now")
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


def _commands(data: str, program: str, site: str, *, dead_letters: bool) -> Iterator[Text]:
    """``site``: for those that ask about one site; "" where there is one only."""
    where = f"--data {shlex.quote(data)}"
    one = f"--site {site} {where}" if site else where
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
