"""``masir models``: checks stage models and shows them. Exit code 2 for a wrong file or name."""

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, settings_of, told
from pipeline.core.model_check import ModelError, parse
from pipeline.core.models import Models, load
from pipeline.core.rules import Labels, Model, Rule
from pipeline.journey.map.tongue import LANGUAGES
from pipeline.model_files import builtin_texts, read_texts, texts_in_force

_SINCE = {"order": "last order", "previous": "evidence before", "first": "first evidence"}

CHECK_EXAMPLES = """
\b
Examples:
  masir models check                    (the models in force: built-in ones and those of the setting `models`)
  masir models check my-journey.toml
"""
SHOW_EXAMPLES = """
\b
Examples:
  masir models show
  masir models show classic5 --lang fa
  masir models show digital8 --json | jq '.stages[].id'
"""


@click.group(epilog="Example: masir models show classic5 --lang ar")
def models() -> None:
    """Check and show stage models: the stages of a journey, and the rules that put a person into each."""


@models.command(epilog=CHECK_EXAMPLES)
@click.argument(
    "files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def check(files: tuple[Path, ...]) -> None:
    """Check model files, by themselves and together with the built-in models."""
    try:
        texts = read_texts(files) if files else texts_in_force(settings_of().models)
        wrong = [error for file, text in texts.items() if (error := _error_in(file, text))]
        if wrong:
            raise Wrong("\n".join(map(str, wrong)))
        shipped = {file: text for file, text in builtin_texts().items() if text not in texts.values()}
        load(shipped | texts)
    except KNOWN_ERRORS as error:
        raise told(error) from error
    for file, text in texts.items():
        model = parse(file, text)
        rules = sum(len(stage.rule) for stage in model.stage)
        click.echo(f"{file}: {model.name} is right, {len(model.stage)} stages, {rules} rules")


@models.command(epilog=SHOW_EXAMPLES)
@click.argument("model", required=False)
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", help="Language of the labels.  [default: en]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, with the labels of all languages."
)
def show(model: str | None, lang: str, as_json: bool) -> None:
    """Show the models in force, or the stages and rules of one MODEL."""
    try:
        found = load(texts_in_force(settings_of().models))
    except KNOWN_ERRORS as error:
        raise told(error) from error
    chosen = {one.name: one for one in found.models}
    if model is not None and model not in chosen:
        raise Wrong(f"there is no model `{model}`; there are {', '.join(chosen)}")
    if as_json:
        content = _as_json(chosen[model]) if model else {"models": [_as_json(one) for one in found.models]}
        click.echo(msgspec.json.encode(content))
    elif model:
        _show_model(chosen[model], lang)
    else:
        _show_all(found, lang)


def _error_in(file: str, text: str) -> ModelError | None:
    try:
        parse(file, text)
    except ModelError as error:
        return error
    return None


def _as_json(model: Model) -> dict[str, object]:
    built: dict[str, object] = msgspec.to_builtins(model)
    stages = [
        {"id": stage.id, "labels": stage.labels, "rules": [_conditions(rule) for rule in stage.rule]}
        for stage in model.stage
    ]
    return {**{name: value for name, value in built.items() if name != "stage"}, "stages": stages}


def _conditions(rule: Rule) -> dict[str, object]:
    """The rule as it was written: only what it says."""
    built: dict[str, object] = msgspec.to_builtins(rule)
    defaults = {"fallback": False}
    return {name: value for name, value in built.items() if value is not None and value != defaults.get(name)}


def _show_all(found: Models, lang: str) -> None:
    table = Table("model", "name", "stages", title="Stage models")
    for model in found.models:
        stages = " → ".join(_label(stage.labels, lang) for stage in model.stage)
        table.add_row(model.name, _label(model.labels, lang), stages)
    Console().print(table)


def _show_model(model: Model, lang: str) -> None:
    table = Table(
        "", "stage", "name", "rule", "holds for", title=f"{model.name}: {_label(model.labels, lang)}"
    )
    for number, stage in enumerate(model.stage, 1):
        for nth, rule in enumerate(stage.rule):
            first = (str(number), stage.id, _label(stage.labels, lang)) if nth == 0 else ("", "", "")
            table.add_row(*first, rule.name, _in_words(model, rule))
        table.add_section()
    console = Console()
    console.print(table)
    console.print(f"{model.description} Silence of {model.lapse_days} days ends a journey.")


def _label(labels: Labels, lang: str) -> str:
    return str(getattr(labels, lang))


def _in_words(model: Model, rule: Rule) -> str:
    parts = [_listed("", rule.event), _listed("url ", rule.url), _listed("channel ", rule.channel)]
    parts.append({None: "", True: "a goal", False: "no goal"}[rule.goal])
    parts += [_listed(f"props.{key} ", map(str, values)) for key, values in rule.allowed_props().items()]
    if rule.score:
        parts.append(f"{rule.score.metric} {rule.score.min:g} to {rule.score.max:g}")
    if rule.orders:
        parts.append(_range("orders", rule.orders.min, rule.orders.max))
    if rule.count:
        parts.append(f"{rule.count.min} times in {rule.count.days:g} days")
    if rule.since:
        since = f"days since the {_SINCE[rule.since.of]}"
        parts.append(_range(since, rule.since.min_days, rule.since.max_days))
    if rule.fallback:
        parts.append("if no other rule holds")
    if model.back(rule):
        parts.append("may move back")
    return "; ".join(part for part in parts if part)


def _range(name: str, least: float, most: float | None) -> str:
    if most is None:
        return f"{name}: {least:g} or more"
    return f"{name}: {least:g}" if least == most else f"{name}: {least:g} to {most:g}"


def _listed(name: str, values: Iterable[str] | None) -> str:
    return "" if values is None else name + ", ".join(values)
