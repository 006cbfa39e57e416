"""Reads a stage model from TOML and checks it. Whatever is wrong is a ModelError that names the file and the line.

Refused: what is not TOML, unknown fields, wrong values, missing labels, ranges that are empty, rules without
a condition on the hit, stages without a rule, names used twice, and rules of different stages that one piece
of evidence could satisfy together. The last is decided condition by condition: two rules are apart if any one
condition of theirs never holds for both. Fallback rules are compared with fallback rules only, since the
others go first.
"""

import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import combinations
from typing import Any

import msgspec

from pipeline.core import rules
from pipeline.core.globs import intersect
from pipeline.core.rules import Model, Rule, Since
from pipeline.core.scores import HIGHEST, LOWEST
from pipeline.core.toml_lines import Path, find_lines, line_of

_PARTS: dict[str, type[msgspec.Struct]] = {
    "stage": rules.Stage,
    "rule": Rule,
    "labels": rules.Labels,
    "score": rules.Score,
    "orders": rules.Orders,
    "count": rules.Count,
    "since": rules.Since,
}
_HIT_CONDITIONS = ("event", "url", "channel", "goal", "props", "score")


class ModelError(Exception):
    """A stage model is wrong. Who wrote the file has to act: the message says where and what is allowed."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line
        self.message = message


class _WrongError(Exception):
    """What is wrong at which path; becomes a ModelError where the file and its lines are known."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def parse(file: str, text: str) -> Model:
    """The checked model of one file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ModelError(file, line, f"this is not TOML: {error}") from error
    try:
        model = _convert(data)
        _check(model)
    except _WrongError as wrong:
        raise ModelError(file, line_of(find_lines(text), wrong.path), str(wrong)) from wrong.__cause__
    return model


def _convert(data: dict[str, Any]) -> Model:
    try:
        return msgspec.convert(data, Model)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        path: Path = tuple(
            int(index) if index else key
            for key, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place)
            if index != "..."
        )
        raise _explained(data, path, message) from error


def _explained(data: dict[str, Any], path: Path, message: str) -> _WrongError:
    """msgspec's message in the words of the file, with what is allowed."""
    part = next((key for key in reversed(path) if isinstance(key, str)), "")
    allowed = msgspec.structs.fields(_PARTS.get(part, Model))
    names = [field.encode_name for field in allowed]
    where = f"in `{part}`" if part else "in the model"
    if unknown := re.match(r"Object contains unknown field `(.*)`", message):
        close = get_close_matches(unknown[1], names, 1)
        hint = f"did you mean `{close[0]}`? " if close else ""
        return _WrongError(
            (*path, unknown[1]), f"unknown field `{unknown[1]}` {where}; {hint}allowed are {', '.join(names)}"
        )
    if missing := re.match(r"Object missing required field `(.*)`", message):
        needed = ", ".join(field.encode_name for field in allowed if field.required)
        return _WrongError(path, f"`{missing[1]}` is missing {where}; needed are {needed}")
    value: Any = data
    for key in path:
        value = value[key]
    return _WrongError(path, f"`{part}` is {value!r}: {message[0].lower()}{message[1:]}{_choices(part)}")


def _choices(part: str) -> str:
    choices = {"channel": rules.Channel, "metric": rules.Metric}
    if part == "backward":
        return "; allowed are always, never"
    if part == "of":
        return "; allowed are order, previous, first"
    if part in choices:
        return f"; allowed are {', '.join(choices[part].__args__)}"  # type: ignore[attr-defined]
    if part in ("id", "name"):
        return "; allowed are 1 to 32 of a-z 0-9 _, a letter first"
    return ""


def _check(model: Model) -> None:
    stage_ids: set[str] = set()
    rule_names: set[str] = set()
    for at, stage in enumerate(model.stage):
        path: Path = ("stage", at)
        if stage.id in stage_ids:
            raise _WrongError((*path, "id"), f"the stage id `{stage.id}` is used twice in the model")
        if not stage.rule:
            raise _WrongError(
                path, f"the stage `{stage.id}` cannot be reached: give it at least one [[stage.rule]]"
            )
        stage_ids.add(stage.id)
        rule_names.clear()
        for nth, rule in enumerate(stage.rule):
            if rule.name in rule_names:
                raise _WrongError(
                    (*path, "rule", nth, "name"), f"the rule name `{rule.name}` is used twice in `{stage.id}`"
                )
            rule_names.add(rule.name)
            _check_rule((*path, "rule", nth), rule)
    _check_overlaps(model)


def _check_rule(path: Path, rule: Rule) -> None:
    if all(getattr(rule, name) is None for name in _HIT_CONDITIONS):
        raise _WrongError(
            path, f"the rule `{rule.name}` needs a condition on the hit: one of {', '.join(_HIT_CONDITIONS)}"
        )
    for name in ("event", "url", "channel", "props"):
        if getattr(rule, name) in ((), {}):
            raise _WrongError(
                (*path, name), f"`{name}` is empty, so the rule can never hold; name at least one value"
            )
    for glob in rule.url or ():
        if not glob.startswith(("/", "*")) or re.search(r"[?#]", glob):
            raise _WrongError(
                (*path, "url"), f"`{glob}` is no path: it starts with / or *, and has no ? and no #"
            )
    for key, values in rule.allowed_props().items():
        if not values:
            raise _WrongError(
                (*path, "props"),
                f"`props.{key}` is empty, so the rule can never hold; name at least one value",
            )
    for name, low, high in _ranges(rule):
        if high is not None and low > high:
            raise _WrongError(
                (*path, name),
                f"`{name}` can never hold: its least value {low:g} is above its greatest {high:g}",
            )
    if rule.score and (rule.score.min > HIGHEST or rule.score.max < LOWEST[rule.score.metric]):
        lowest = LOWEST[rule.score.metric]
        raise _WrongError(
            (*path, "score"), f"`score` can never hold: {rule.score.metric} is from {lowest:g} to {HIGHEST:g}"
        )


def _ranges(rule: Rule) -> Iterator[tuple[str, float, float | None]]:
    if rule.score:
        yield "score", rule.score.min, rule.score.max
    if rule.orders:
        yield "orders", rule.orders.min, rule.orders.max
    if rule.since:
        yield "since", rule.since.min_days, rule.since.max_days


def _check_overlaps(model: Model) -> None:
    placed = [(at, nth, rule) for at, stage in enumerate(model.stage) for nth, rule in enumerate(stage.rule)]
    for (at, _, rule), (other_at, other_nth, other) in combinations(placed, 2):
        if at != other_at and rule.fallback == other.fallback and not apart(rule, other):
            first, second = model.stage[at].id, model.stage[other_at].id
            raise _WrongError(
                ("stage", other_at, "rule", other_nth),
                f"the rules `{first}/{rule.name}` and `{second}/{other.name}` overlap: one hit can satisfy "
                f"both. Let a condition keep them apart, or make the more general one `fallback = true`",
            )


def apart(rule: Rule, other: Rule) -> bool:
    """Whether no evidence can satisfy both rules."""
    return (
        _disjoint(rule.event, other.event)
        or _disjoint(rule.channel, other.channel)
        or (rule.goal is not None and other.goal is not None and rule.goal != other.goal)
        or _no_common_path(rule.url, other.url)
        or _props_apart(rule, other)
        or _scores_apart(rule, other)
        or _ranges_apart(_order_range(rule), _order_range(other))
        or _since_apart(rule.since, other.since)
    )


def _disjoint(some: tuple[str, ...] | None, others: tuple[str, ...] | None) -> bool:
    return some is not None and others is not None and not set(some) & set(others)


def _no_common_path(globs: tuple[str, ...] | None, others: tuple[str, ...] | None) -> bool:
    return (
        globs is not None and others is not None and not any(intersect(a, b) for a in globs for b in others)
    )


def _props_apart(rule: Rule, other: Rule) -> bool:
    mine, theirs = _needed_props(rule), _needed_props(other)
    return any(not set(mine[key]) & set(theirs[key]) for key in mine.keys() & theirs.keys())


def _needed_props(rule: Rule) -> dict[str, tuple[str | bool, ...]]:
    metric = {"metric": (rule.score.metric,)} if rule.score else {}
    return {**rule.allowed_props(), **metric}


def _scores_apart(rule: Rule, other: Rule) -> bool:
    one, two = rule.score, other.score
    if one is None or two is None:
        return False
    return one.metric == two.metric and _ranges_apart((one.min, one.max), (two.min, two.max))


def _order_range(rule: Rule) -> tuple[float, float | None]:
    after_order = rule.since is not None and rule.since.of == "order"
    low = rule.orders.min if rule.orders else 0
    return max(low, int(after_order)), rule.orders.max if rule.orders else None


def _since_apart(one: Since | None, two: Since | None) -> bool:
    if one is None or two is None or one.of != two.of:
        return False
    return _ranges_apart((one.min_ms, one.max_ms), (two.min_ms, two.max_ms))


def _ranges_apart(one: tuple[float, float | None], two: tuple[float, float | None]) -> bool:
    return (one[1] is not None and one[1] < two[0]) or (two[1] is not None and two[1] < one[0])
