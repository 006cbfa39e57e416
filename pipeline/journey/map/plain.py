"""The map without a picture: Markdown for a wiki, CSV for a spreadsheet.

CSV is long: one value per line, names and numbers as the store has them, in no language.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pipeline.journey.map.campaign_sheet import title_of
from pipeline.journey.map.campaigns import Campaign
from pipeline.journey.map.facts import Item, MapFacts, Stage
from pipeline.journey.map.parts import Labels, period
from pipeline.journey.map.tongue import Tongue

CSV_HEAD: Final = ("site", "model", "from", "to", "campaign", "stage", "row", "item", "value")
_FIGURES: Final = (
    "persons", "now", "advanced", "exited", "touches", "sessions", "median_seconds", "session_seconds", "csat", "ces",
    "nps", "answers", "at_risk", "exit_ratio", "advance_ratio",
)  # fmt: skip
_LISTS: Final = ("touchpoints", "channels", "contents", "reasons")
_OF_CAMPAIGN: Final = ("persons", "campaign", "everyone", "before")


def markdown(
    facts: MapFacts, campaigns: Sequence[Campaign], tongue: Tongue, model: str, labels: Labels
) -> str:
    """Stages as columns, as on the sheet, and a section for each campaign."""
    scope = facts.scope
    head = ["", *(labels.get(stage.stage, stage.stage) for stage in facts.stages)]
    lines = [
        f"# {tongue['title']}",
        "",
        f"{_safe(scope.site)} · {model} · {period(tongue, scope)}",
        "",
        *_table(head, [[tongue[name], *map(told, facts.stages)] for name, told in _rows(tongue)]),
    ]
    for campaign in campaigns:
        lines += ["", *_campaign(campaign, tongue, labels)]
    return "\n".join(lines) + "\n"


def _rows(tongue: Tongue) -> list[tuple[str, Callable[[Stage], str]]]:
    """Name of a row, and what it says of a stage."""

    def listed(items: Sequence[Item], named: Callable[[str], str] = str) -> str:
        return "<br>".join(f"{_safe(named(item.name))} {tongue.percent(item.share)}" for item in items) or "–"

    def volume(stage: Stage) -> str:
        parts = (
            (stage.persons, "persons"),
            (stage.touches, "touches"),
            (stage.now, "now"),
            (stage.at_risk, "at_risk"),
        )
        return "<br>".join(f"{tongue.number(value)} {tongue[name]}" for value, name in parts)

    def satisfaction(stage: Stage) -> str:
        scores = ((stage.csat, "csat", 1), (stage.ces, "ces", 1), (stage.nps, "nps", 0))
        told = (
            f"{tongue[name]} {tongue.number(value, most)}"
            for value, name, most in scores
            if value is not None
        )
        return "<br>".join(told) or "–"

    return [
        ("volume", volume),
        ("next", lambda stage: tongue.percent(stage.advance_ratio)),
        ("touchpoints", lambda stage: listed(stage.touchpoints, tongue.touchpoint)),
        ("channels", lambda stage: listed(stage.channels, tongue.channel)),
        ("contents", lambda stage: listed(stage.contents, tongue.touchpoint)),
        ("time", lambda stage: tongue.duration(stage.median_seconds)),
        ("satisfaction", satisfaction),
        ("exits", lambda stage: f"{tongue.percent(stage.exit_ratio)}<br>{listed(stage.reasons)}"),
    ]


def _campaign(campaign: Campaign, tongue: Tongue, labels: Labels) -> list[str]:
    counts = (
        (campaign.sessions, "sessions"),
        (campaign.persons, "persons"),
        (campaign.conversions, "conversions"),
    )
    told = [f"{tongue.number(value)} {tongue[name]}" for value, name in counts]
    amounts = ((campaign.revenue, "revenue"), (campaign.cost, "cost"))
    told += [f"{tongue.money(money)} {tongue[name]}" for money, name in amounts if money]
    stages = [
        [
            labels.get(of.stage, of.stage),
            tongue.number(of.persons),
            *map(tongue.percent, (of.campaign, of.everyone, of.before)),
        ]
        for of in campaign.stages
    ]
    return [
        f"## {_safe(title_of(campaign, tongue))}",
        "",
        " · ".join(told),
        "",
        f"{tongue['performance']}: {tongue['performance_note']}",
        "",
        *_table([tongue[name] for name in ("stage", "persons", "of_campaign", "everyone", "before")], stages),
        "",
        f"### {tongue['ideas']}",
        "",
        "- …",
    ]


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return [line(head), "|" + "---|" * len(head), *map(line, lines)]


def _safe(text: str) -> str:
    """Text of the data that says nothing to Markdown."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def as_csv(facts: MapFacts, campaigns: Sequence[Campaign]) -> str:
    """One value a line; see CSV_HEAD."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    scope = facts.scope
    start = (scope.site, facts.model, scope.first_day, scope.last_day)
    writer.writerows((*start, *line) for line in _values(facts, campaigns))
    return file.getvalue()


def _values(facts: MapFacts, campaigns: Sequence[Campaign]) -> Iterator[tuple[object, ...]]:
    for stage in facts.stages:
        for name in _FIGURES:
            yield "", stage.stage, name, "", getattr(stage, name)
        for name in _LISTS:
            for item in getattr(stage, name):
                yield "", stage.stage, name, _cell(item.name), item.persons
    for flow in facts.flows:
        yield "", flow.from_stage, f"flow {flow.kind}", flow.to_stage, flow.persons
    for campaign in campaigns:
        for of in campaign.stages:
            for name in _OF_CAMPAIGN:
                yield _cell(campaign.name), of.stage, f"campaign {name}", "", getattr(of, name)


def _cell(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula, and the data come from anybody."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
