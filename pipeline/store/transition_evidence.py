"""Evidence of stages in SQL, made from the model files: which hits are any, and which rules hold of each.

Earlier evidence is looked up by window functions. Reads the view ``hits``; nothing of the fold in ``pipeline.core`` is
used.
"""

from collections.abc import Iterable
from typing import Final

from pipeline.core.globs import PATH_PATTERN
from pipeline.core.models import Models
from pipeline.core.plans import BoundRule
from pipeline.core.rules import ORDER_EVENT, Since
from pipeline.store.sql import like, text

_ORDER: Final = "PARTITION BY site, person_id ORDER BY at, rules, event, url, channel, session_id"
_UP_TO_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_BEFORE_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_SINCE: Final = {"order": "last_order", "previous": "previous", "first": "first"}


def evidence(models: Models) -> str:
    """Hits that satisfy a rule of any model by themselves, in order, with what earlier evidence says."""
    by_hit = ", ".join(f"{_on_hit(bound)} AS hit_{rule}" for rule, bound in models.rules.items())
    rules = ", ".join(
        f"if({_unless_settled(bound, models)}{_where_it_applies(bound, models)}, {rule}, 0)"
        for rule, bound in sorted(models.rules.items())
    )
    counts = "".join(
        f"""
        lagInFrame(toNullable(at), {bound.rule.count.min - 1}) OVER ( PARTITION BY site, person_id, has(rules,
        {rule}) ORDER BY at, rules, event, url, channel, session_id ROWS BETWEEN {bound.rule.count.min - 1}
        PRECEDING AND CURRENT ROW ) AS counted_{rule},"""
        for rule, bound in models.rules.items()
        if bound.rule.count
    )
    return f"""
    SELECT
        *,{counts}
        row_number() OVER ({_ORDER}) AS place,
        countIf(event = {text(ORDER_EVENT)}) OVER ({_UP_TO_THIS}) AS orders,
        max(if(event = {text(ORDER_EVENT)}, toNullable(at), NULL)) OVER ({_BEFORE_THIS}) AS last_order,
        max(toNullable(at)) OVER ({_BEFORE_THIS}) AS previous,
        min(toNullable(at)) OVER ({_BEFORE_THIS}) AS first
    FROM
    (
        SELECT
            site, person_id, at, event, url, channel, session_id,
            arrayFilter(rule -> rule != 0, [{rules}]::Array(UInt32)) AS rules
        FROM (SELECT *, {by_hit} FROM ({_readable_hits()}))
        WHERE notEmpty(rules)
    )
    """


def _readable_hits() -> str:
    path = f"extract(url, {text(PATH_PATTERN)})"
    return f"""
    SELECT site, person_id, event, url, channel, session_id, goal, props, toUnixTimestamp64Milli(event_time)
    AS at, if(url = '', '', if({path} = '', '/', {path})) AS path, JSONExtractString(props, 'metric') AS
    metric, if(metric = 'nps', 0., 1.) AS lowest, ifNull(scale, 10.) AS highest, metric IN ('csat', 'ces',
    'nps') AND highest > lowest AND score >= lowest AND score <= highest AS is_valid, if(ifNull(is_valid, 0),
    lowest + (score - lowest) * (10. - lowest) / (highest - lowest), NULL) AS mark FROM hits WHERE outcome IN
    ('sessionized', 'background', 'late')
    """


def _on_hit(bound: BoundRule) -> str:
    """The conditions on the hit alone."""
    rule = bound.rule
    said = []
    if rule.event is not None:
        said.append(f"event IN ({listed(rule.event)})")
    if rule.url is not None:
        said.append(_any_of(f"path LIKE {like(glob)}" for glob in rule.url))
    if rule.channel is not None:
        said.append(f"channel IN ({listed(rule.channel)})")
    if rule.goal is not None:
        said.append(f"goal = {int(rule.goal)}")
    for key, values in rule.allowed_props().items():
        said.append(_any_of(_prop(key, value) for value in values))
    if rule.score is not None:
        score = rule.score
        said.append(
            f"ifNull(metric = {text(score.metric)} AND mark >= {score.min!r} AND mark <= {score.max!r}, 0)"
        )
    return _all_of(said)


def _prop(key: str, value: str | bool) -> str:
    at = f"props, {text(key)}"
    if isinstance(value, bool):
        return f"(JSONType({at}) = 'Bool' AND JSONExtractBool({at}) = {int(value)})"
    return f"(JSONType({at}) = 'String' AND JSONExtractString({at}) = {text(value)})"


def _unless_settled(bound: BoundRule, models: Models) -> str:
    """A fallback rule does not speak where the hit alone satisfies another rule of its model."""
    others = [
        f"hit_{other.id}"
        for other in models.rules.values()
        if other.model == bound.model and not other.rule.fallback and other.rule.stateless
    ]
    if not bound.rule.fallback or not others:
        return f"hit_{bound.id}"
    return f"hit_{bound.id} AND NOT {_any_of(others)}"


def _where_it_applies(bound: BoundRule, models: Models) -> str:
    """Sites may name the models that apply to them."""
    name = models.models[bound.model].name
    others = [site for site, names in models.sites.items() if name not in names]
    return f" AND site NOT IN ({listed(others)})" if others else ""


def holds(bound: BoundRule) -> str:
    """All conditions, given the evidence's rules."""
    rule = bound.rule
    said = [f"has(rules, {bound.id})"]
    if rule.orders:
        said.append(f"orders >= {rule.orders.min}")
        if rule.orders.max is not None:
            said.append(f"orders <= {rule.orders.max}")
    if rule.count:
        said.append(f"ifNull(at - counted_{bound.id} <= {rule.count.window_ms}, 0)")
    if rule.since:
        said.append(_since(rule.since))
    return _all_of(said)


def _since(since: Since) -> str:
    elapsed = f"at - {_SINCE[since.of]}"
    limit = "" if since.max_ms is None else f" AND {elapsed} <= {since.max_ms}"
    return f"ifNull({elapsed} >= {since.min_ms}{limit}, 0)"


def _all_of(said: list[str]) -> str:
    return "(" + " AND ".join(said) + ")"


def _any_of(said: Iterable[str]) -> str:
    return "(" + " OR ".join(said) + ")"


def listed(values: Iterable[str]) -> str:
    """String literals, with commas between them."""
    return ", ".join(text(value) for value in values)
