"""Stage models, compiled: which rules a hit satisfies by itself, and what these do together.

A rule's id is the CRC-32 of ``model/stage/rule``, so it stays the same while the rule keeps its names. Models
are in the order of their names. Orders of ``order_limit`` and more are all alike to the rules. The caches
hold answers only, so they cannot be observed; each is emptied when it has grown to its limit.
"""

import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from pipeline.core.globs import GlobSet, path_of
from pipeline.core.model_check import ModelError, parse
from pipeline.core.plans import BoundRule, Plan, make_plan
from pipeline.core.rules import DAY_MS, Model, Rule
from pipeline.core.scores import metric_of
from pipeline.core.toml_lines import find_lines, line_of
from schemas.evidence import Kind as EvidenceKind
from schemas.transition import Kind

MAX_CACHED_TOUCHPOINTS: Final = 32_768  # about 200 bytes each
MAX_CACHED_PLANS: Final = 8_192

_decode_props = msgspec.json.Decoder(dict[str, Any]).decode


class Models:
    """The models in force; ``sites``: names of those that apply to a site, where not all do.

    ``digests``: by name, they change with anything that could change a person's stage.
    """

    def __init__(self, models: Iterable[Model], sites: Mapping[str, Collection[str]] | None = None) -> None:
        self.sites = sites or {}
        self.models = tuple(sorted(models, key=lambda model: model.name))
        self.rules = {bound.id: bound for bound in _bind(self.models)}
        self.digests = {model.name: zlib.crc32(msgspec.msgpack.encode(model)) for model in self.models}
        self.order_limit = 1 + max(
            (max(rule.orders.min, rule.orders.max or 0) for *_, rule in self.rules.values() if rule.orders),
            default=0,
        )
        self._by_event, self._any_event = self._split_by_event()
        self._plans: dict[EvidenceKind, Plan] = {}
        self._detailed = {event for event, bounds in self._by_event.items() if _look_at_details(bounds)}
        self._any_details = _look_at_details(self._any_event)
        self._globs = GlobSet(glob for bound in self.rules.values() for glob in bound.rule.url or ())
        self._step_names: dict[tuple[int, int, int, Kind], tuple[str, str, str, Kind]] = {}
        self.lapse_ms = tuple(model.lapse_days * DAY_MS for model in self.models)
        self.least_lapse_ms = min(self.lapse_ms, default=0)
        self._by_url: dict[tuple[str, str, str, bool], tuple[int, ...]] = {}
        self._by_globs: dict[tuple[str, tuple[str, ...], str, bool], tuple[int, ...]] = {}

    def _split_by_event(self) -> tuple[dict[str, list[BoundRule]], list[BoundRule]]:
        any_event = [bound for bound in self.rules.values() if bound.rule.event is None]
        events = {event for bound in self.rules.values() for event in bound.rule.event or ()}
        by_event = {
            event: [b for b in self.rules.values() if b.rule.event is None or event in b.rule.event]
            for event in events
        }
        return by_event, any_event

    def step_names(
        self, model: int, left: int, entered: int, beginning: Kind = Kind.ENTER
    ) -> tuple[str, str, str, Kind]:
        """Names of a model (counted from 0) and of two of its stages (from 1; 0 is none); kind of the step.

        ``beginning``: the kind where no stage is left.
        """
        found = self._step_names.get((model, left, entered, beginning))
        if found is None:
            stages = self.models[model].stage
            kind = Kind.ADVANCE if entered > left else Kind.REGRESS if entered else Kind.LAPSE
            names = [stages[at - 1].id if at else "" for at in (left, entered)]
            found = self.models[model].name, names[0], names[1], kind if left else beginning
            self._step_names[model, left, entered, beginning] = found
        return found

    def touchpoint(
        self, event: str, url: str, channel: str, goal: bool, score: float | None, props: bytes | None
    ) -> tuple[int, ...]:
        """Ids of the rules that the hit alone satisfies, ascending; conditions on earlier evidence are left open.

        ``score`` is normalised, ``props`` a JSON object. A fallback rule is in only if the hit alone does not
        already satisfy another rule of its model.
        """
        found = self._by_url.get((event, url, channel, goal))
        if found is None:
            found = self._touchpoint(event, url, channel, goal, score, props)
        return found

    def applying(self, rules: tuple[int, ...], names: Collection[str] | None) -> tuple[int, ...]:
        """Those of these rules whose model is among the named; None: all."""
        if names is None:
            return rules
        return tuple(rule for rule in rules if self.models[self.rules[rule].model].name in names)

    def looks_at_details(self, event: str) -> bool:
        """Whether some rule for the event looks at more than page, channel and goal."""
        return event in self._detailed or (event not in self._by_event and self._any_details)

    def _touchpoint(
        self, event: str, url: str, channel: str, goal: bool, score: float | None, props: bytes | None
    ) -> tuple[int, ...]:
        bounds = self._by_event.get(event, self._any_event)
        if not bounds:
            return ()
        globs = self._globs.matching(path_of(url))
        if self.looks_at_details(event):
            return _satisfied(bounds, globs, channel, goal, score, props)
        key = (event, globs, channel, goal)
        found = self._by_globs.get(key)
        if found is None:
            found = _satisfied(bounds, globs, channel, goal, None, None)
            _keep(self._by_globs, key, found, MAX_CACHED_TOUCHPOINTS)
        _keep(self._by_url, (event, url, channel, goal), found, MAX_CACHED_TOUCHPOINTS)
        return found

    def plan_of(self, kind: EvidenceKind) -> Plan:
        """What evidence of this kind does; ids of no rule of these models are ignored."""
        plan = self._plans.get(kind)
        if plan is None:
            rules, event, _ = kind
            bounds = tuple(self.rules[rule] for rule in rules if rule in self.rules)
            plan = make_plan(bounds, event)
            _keep(self._plans, kind, plan, MAX_CACHED_PLANS)
        return plan


def load(texts: Mapping[str, str], sites: Mapping[str, Collection[str]] | None = None) -> Models:
    """The models of these files (name -> TOML text). Raises ModelError. ``sites``: as :class:`Models` has them."""
    models: dict[str, Model] = {}
    files: dict[str, str] = {}
    for file in sorted(texts):
        model = parse(file, texts[file])
        line = line_of(find_lines(texts[file]), ("name",))
        if model.name in models:
            raise ModelError(
                file, line, f"the model `{model.name}` is already in {files[model.name]}; choose another name"
            )
        models[model.name] = model
        files[model.name] = file
    ids: dict[int, BoundRule] = {}
    for bound in _bind(tuple(models.values())):
        if bound.id in ids:
            _refuse_collision(texts, files, tuple(models.values()), bound)
        ids[bound.id] = bound
    return Models(models.values(), sites)


def _refuse_collision(
    texts: Mapping[str, str], files: Mapping[str, str], models: tuple[Model, ...], bound: BoundRule
) -> None:
    model = models[bound.model]
    stage = model.stage[bound.stage - 1]
    path = ("stage", bound.stage - 1, "rule", stage.rule.index(bound.rule), "name")
    file = files[model.name]
    raise ModelError(
        file,
        line_of(find_lines(texts[file]), path),
        f"the rule `{stage.id}/{bound.rule.name}` has by chance the id of another; rename it",
    )


def _bind(models: tuple[Model, ...]) -> Iterable[BoundRule]:
    for at, model in enumerate(models):
        for nth, stage in enumerate(model.stage, 1):
            for rule in stage.rule:
                rule_id = zlib.crc32(f"{model.name}/{stage.id}/{rule.name}".encode())
                yield BoundRule(rule_id, at, nth, model.back(rule), rule)


def _look_at_details(bounds: Iterable[BoundRule]) -> bool:
    return any(bound.rule.props is not None or bound.rule.score is not None for bound in bounds)


def _satisfied(
    bounds: list[BoundRule],
    globs: tuple[str, ...],
    channel: str,
    goal: bool,
    score: float | None,
    props: bytes | None,
) -> tuple[int, ...]:
    values = _props(props)
    metric = metric_of(props)
    held = [
        bound
        for bound in bounds
        if (bound.rule.url is None or not set(globs).isdisjoint(bound.rule.url))
        and (bound.rule.channel is None or channel in bound.rule.channel)
        and (bound.rule.goal is None or goal is bound.rule.goal)
        and _props_fit(bound.rule, values)
        and _score_fits(bound.rule, metric, score)
    ]
    return deciding(held)


def deciding(held: Collection[BoundRule]) -> tuple[int, ...]:
    """Ids of the rules that hold, ascending; a fallback only where the hit alone satisfies no other of its model."""
    settled = {bound.model for bound in held if not bound.rule.fallback and bound.rule.stateless}
    return tuple(sorted(b.id for b in held if not (b.rule.fallback and b.model in settled)))


def _props(props: bytes | None) -> dict[str, Any]:
    if not props:
        return {}
    try:
        return _decode_props(props)
    except (msgspec.DecodeError, RecursionError):
        return {}


def _props_fit(rule: Rule, values: dict[str, Any]) -> bool:
    # 1 == True in Python, but a rule that says true does not mean 1.
    return all(
        isinstance(values.get(key), str | bool) and values[key] in allowed
        for key, allowed in rule.allowed_props().items()
    )


def _score_fits(rule: Rule, metric: str, score: float | None) -> bool:
    wanted = rule.score
    return wanted is None or (
        wanted.metric == metric and score is not None and wanted.min <= score <= wanted.max
    )


def _keep(cache: dict[Any, Any], key: object, value: object, limit: int) -> None:
    if len(cache) >= limit:
        cache.clear()
    cache[key] = value


def changed_models(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Names of models that are new, gone, or have other rules; of digests by name."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def rebuild_of(names: Iterable[str]) -> str:
    """The command that makes the history of these models anew."""
    return f"masir rebuild {' '.join(f'--model {name}' for name in names)}"
