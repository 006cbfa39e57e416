"""``masir map``: draws the journey map from the store."""

from pathlib import Path

import click

from pipeline.cli.runner import Wrong, settings_of
from pipeline.cli.scope import in_scope, scope_options
from pipeline.core.models import load
from pipeline.journey.map.campaign_sheet import draw_campaign, title_of
from pipeline.journey.map.campaigns import Campaign, campaigns_of
from pipeline.journey.map.canvas import Canvas
from pipeline.journey.map.facts import MapFacts, map_facts
from pipeline.journey.map.page import html, svg
from pipeline.journey.map.parts import Labels
from pipeline.journey.map.plain import as_csv, markdown
from pipeline.journey.map.sheet import draw_map
from pipeline.journey.map.theme import Theme
from pipeline.journey.map.tongue import LANGUAGES, Tongue, tongue
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings

KINDS = (".html", ".svg", ".md", ".csv")

EXAMPLES = """
\b
Examples:
  masir map
  masir map journey-fa.html --lang fa --model digital8
  masir map july.md --from 2026-07-01 --to 2026-08-01 --campaigns 5
"""


@click.command(name="map", epilog=EXAMPLES)
@click.argument("file", default="journey-map.html", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", default="classic5", show_default=True, help="A stage model, built in or your own.")
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the map."
)
@click.option(
    "--theme",
    type=click.Choice(("auto", "light", "dark")),
    default="auto",
    show_default=True,
    help="Auto: as the reader's system. Paper is light.",
)
@click.option(
    "--campaigns", type=click.IntRange(0, 50), default=3, show_default=True, help="How many get a sheet."
)
@scope_options()
def map(  # noqa: A001 - the command's name
    file: Path,
    model: str,
    lang: str,
    theme: Theme,
    campaigns: int,
    site: str | None,
    start: str | None,
    end: str | None,
    data: str | None,
) -> None:
    """Draw the journey map into FILE: .html (all sheets, prints on A3), .svg (a file a sheet), .md or .csv.

    The first sheet has the stages as columns: flow, volume, touchpoints, channels, what moves people on, time spent,
    satisfaction, exits with their reasons. Then a sheet for each of the largest campaigns: what was done, how each
    stage performed against the time before, and room for ideas.
    """
    if file.suffix not in KINDS:
        raise Wrong(f"{file}: the ending says what to draw; allowed are {', '.join(KINDS)}")
    settings = settings_of(data=data)
    with in_scope(settings, site, start, end) as (reader, scope):
        name, labels = _labels(settings, model, lang)
        facts = map_facts(reader, scope, model)
        found = campaigns_of(reader, scope, model, campaigns)
        written = _write(file, facts, found, tongue(lang), name, labels, theme)
    for path in written:
        click.echo(path)


def _labels(settings: Settings, model: str, lang: str) -> tuple[str, Labels]:
    """The names of the model and of its stages; a model that is only in the store has none but its own."""
    models = load(texts_in_force(settings.models)).models
    for one in models:
        if one.name == model:
            return getattr(one.labels, lang), {stage.id: getattr(stage.labels, lang) for stage in one.stage}
    return model, {}


def _write(
    file: Path,
    facts: MapFacts,
    campaigns: list[Campaign],
    words: Tongue,
    model: str,
    labels: Labels,
    theme: Theme,
) -> list[Path]:
    if file.suffix == ".csv":
        file.write_text(as_csv(facts, campaigns), "utf-8")
        return [file]
    if file.suffix == ".md":
        file.write_text(markdown(facts, campaigns, words, model, labels), "utf-8")
        return [file]
    sheets: list[tuple[str, Canvas]] = [(words["title"], draw_map(facts, words, model, labels))]
    sheets += [(title_of(one, words), draw_campaign(one, facts.scope, words, labels)) for one in campaigns]
    if file.suffix == ".html":
        file.write_text(html(sheets, words, theme), "utf-8")
        return [file]
    files = [file, *(file.with_stem(f"{file.stem}-{number}") for number in range(2, len(sheets) + 1))]
    for path, (title, canvas) in zip(files, sheets, strict=True):
        path.write_text(svg(title, canvas, words, theme), "utf-8")
    return files
