"""``masir funnel``: the linear funnel beside what people really did."""

import click
import msgspec
from rich.table import Table

from pipeline.cli.runner import settings_of
from pipeline.cli.scope import in_scope, scope_options
from pipeline.journey.funnel import Finding, Funnel, funnel_of
from pipeline.journey.scope import Scope
from pipeline.journey.tables import show, table

_OUT, _IN, _BACK = "(left)", "(new)", "(back)"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))

EXAMPLES = """
\b
Examples:
  masir funnel
  masir funnel --model funnel4 --from 2026-07-01 --to 2026-08-01
  masir funnel --model digital8 --json | jq '.findings'
"""


@click.command(epilog=EXAMPLES)
@click.option("--model", default="classic5", show_default=True, help="A stage model, built in or your own.")
@scope_options(
    start="Journeys that began here (a day at the site) or later.  [default: all]",
    end="As seen at this time.  [default: after the last hit]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def funnel(
    model: str, site: str | None, start: str | None, end: str | None, data: str | None, as_json: bool
) -> None:
    """Check the linear funnel of a stage model against the journeys.

    Shows how many reached each stage, as a funnel counts; how many really were in it, moved back, left there; the flow
    from stage to stage; and where the two disagree or people are stuck.
    """
    with in_scope(settings_of(data=data), site, start, end) as (reader, scope):
        found = funnel_of(reader, scope, model)
    if as_json:
        head = {"site": scope.site, "from_ms": scope.start_ms, "to_ms": scope.end_ms}
        click.echo(msgspec.json.encode(head | msgspec.to_builtins(found)))
        return
    show(
        _steps(scope, found), "", _matrix(found), "", "Where funnel and journey disagree, or people are stuck"
    )
    for finding in found.findings:
        show(f"  {in_words(finding)}")
    if not found.findings:
        show("  nowhere")


def in_words(finding: Finding) -> str:
    """A finding as a sentence."""
    number = f"{finding.persons:,} of {finding.of:,} ({finding.share:.0%})"
    return {
        "narrow": f"narrowest: {number} in {finding.stage} have not reached {finding.to_stage}",
        "leaves": f"exit: {number} who were in {finding.stage} left the journey there",
        "skipped": f"skipped: {number} whom the funnel counts in {finding.stage} were never there",
        "jumps": f"jump: {number} in {finding.stage} went straight to {finding.to_stage}",
        "back": f"back: {number} in {finding.stage} moved back from it",
        "again": f"again: {number} in {finding.stage} were there more than once",
    }[finding.kind]


def duration(seconds: float | None) -> str:
    """In the largest unit that it fills."""
    if seconds is None:
        return "–"
    return next(
        (f"{seconds / size:.1f} {unit}" for unit, size in _UNITS if seconds >= size), f"{seconds:.0f} s"
    )


def _steps(scope: Scope, found: Funnel) -> Table:
    title = f"{found.model}, {scope.site}, journeys that began {scope.first_day} to {scope.last_day}"
    made = table(
        title,
        "stage",
        "funnel",
        "step",
        "really there",
        "skipped",
        "moved back",
        "left",
        "there now",
        "median stay",
    )
    for step in found.steps:
        made.add_row(
            step.stage,
            f"{step.reached:,}",
            "" if step.step_ratio is None else f"{step.step_ratio:.1%}",
            f"{step.entered:,}",
            f"{step.skipped:,}",
            f"{step.moved_back:,}",
            f"{step.exited:,}",
            f"{step.now:,}",
            duration(step.median_seconds),
        )
    return made


def _matrix(found: Funnel) -> Table:
    """Persons, each once, by where they came from (rows) and where they went; a return is not new."""
    stages = [step.stage for step in found.steps]
    made = table("Who went where: persons", "from \\ to", *stages, _OUT)
    persons = {
        (of.from_stage or (_BACK if of.returned else _IN), of.to_stage): of.persons for of in found.went
    }
    for origin in (_IN, _BACK, *stages):
        row = (f"{persons[origin, to]:,}" if (origin, to) in persons else "·" for to in (*stages, ""))
        made.add_row(origin, *row)
    return made
