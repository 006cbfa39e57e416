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
from pipeline.store.sql import ACCEPTED, like, text

_ORDER: Final = "PARTITION BY site, person_id ORDER BY at, rules, event, url, channel, session_id"
_UP_TO_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_BEFORE_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_ANY_NUMBER: Final = (1 << 32) - 1
_SINCE: Final = {"order": "last_order", "previous": "previous", "first": "first"}


def evidence(models: Models) -> str:
    """Hits that satisfy a rule of any model by themselves, in order, with what earlier evidence says."""
    counts = "".join(
        f"""
        lagInFrame(toNullable(at), {bound.rule.count.min - 1}) OVER (
            PARTITION BY site, person_id, has(rules, {rule})
            ORDER BY at, rules, event, url, channel, session_id
            ROWS BETWEEN {bound.rule.count.min - 1} PRECEDING AND CURRENT ROW
        ) AS counted_{rule},"""
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
            site, hit.1 AS person_id, hit.2 AS at, event, hit.3 AS url, channel, hit.4 AS session_id, rules
        FROM ({_matched(models)})
        ARRAY JOIN hits_alike AS hit
    )
    """


def _matched(models: Models) -> str:
    """Hits that say the same to all rules are matched once: ``hits_alike`` with their ``rules``, if there are any."""
    by_hit = ", ".join(f"{_on_hit(bound)} AS hit_{rule}" for rule, bound in models.rules.items())
    rules = ", ".join(
        f"if({_unless_settled(bound, models)}{_where_it_applies(bound, models)}, {rule}, 0)"
        for rule, bound in sorted(models.rules.items())
    )
    props = "props" if any(bound.rule.allowed_props() for bound in models.rules.values()) else "''"
    return f"""
    SELECT
        site, event, channel, hits_alike,
        arrayFilter(rule -> rule != 0, [{rules}]::Array(UInt32)) AS rules
    FROM (SELECT *, {by_hit} FROM ({_readable_hits(props)}))
    WHERE notEmpty(rules)
    """


def _readable_hits(props: str) -> str:
    path = f"extract(url, {text(PATH_PATTERN)})"
    return f"""
    SELECT
        site, event, path, channel, goal, props, metric,
        if(metric = 'nps', 0., 1.) AS lowest, ifNull(scale, 10.) AS highest,
        metric IN ('csat', 'ces', 'nps') AND highest > lowest AND score >= lowest AND score <= highest AS is_valid,
        if(ifNull(is_valid, 0), lowest + (score - lowest) * (10. - lowest) / (highest - lowest), NULL) AS mark,
        hits_alike
    FROM
    (
        SELECT
            site, event, if(url = '', '', if({path} = '', '/', {path})) AS path, channel, goal, {props} AS props,
            JSONExtractString(hits.props, 'metric') AS metric,
            if(metric = '', NULL, score) AS score, if(metric = '', NULL, scale) AS scale,
            groupArray((person_id, toUnixTimestamp64Milli(event_time), url, session_id)) AS hits_alike
        FROM hits
        WHERE {ACCEPTED}
        GROUP BY site, event, path, channel, goal, props, metric, score, scale
    )
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


def held(models: Models) -> str:
    """Those of the evidence's ``rules`` of which all conditions hold."""
    orders = {rule: bound.rule.orders for rule, bound in models.rules.items() if bound.rule.orders}
    least = [of.min for of in orders.values()]
    most = [_ANY_NUMBER if of.max is None else of.max for of in orders.values()]
    said = [
        f"orders >= transform(rule, {[*orders, 0]}, {[*least, 0]}, 0)",
        f"orders <= transform(rule, {[*orders, 0]}, {[*most, 0]}, {_ANY_NUMBER})",
    ]
    for bound in models.rules.values():
        if bound.rule.count:
            recent = f"ifNull(at - counted_{bound.id} <= {bound.rule.count.window_ms}, 0)"
            said.append(f"(rule != {bound.id} OR {recent})")
        if bound.rule.since:
            said.append(f"(rule != {bound.id} OR {_since(bound.rule.since)})")
    return f"arrayFilter(rule -> {' AND '.join(said)}, rules)"


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
