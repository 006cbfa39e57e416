"""The batch side of "stream equals batch" for the stages: SQL, made from the model files.

Nothing of the fold in ``pipeline.core`` is used: earlier evidence is looked up by window functions, the walk
through the stages is an arrayFold. Reads the views ``hits`` and ``transitions``. Each check gives the rows
that differ as (``key``, ``stream``, ``batch``): tuples with named fields; ``stream`` or ``batch`` is null
where that side has no such row. No rows: both say the same. Journeys that have outgrown their limit and then
met late evidence may differ.
"""

from collections.abc import Iterable
from typing import Final

from pipeline.core.globs import PATH_PATTERN
from pipeline.core.models import Models
from pipeline.core.plans import BoundRule
from pipeline.core.referrals import CODE_PATTERN, REFERRAL
from pipeline.core.rules import ORDER_EVENT, Model, Since
from pipeline.store.sql import like, text

_ORDER: Final = "PARTITION BY site, person_id ORDER BY at, rules, event, url, channel, session_id"
_UP_TO_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_BEFORE_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_SINCE: Final = {"order": "last_order", "previous": "previous", "first": "first"}
_LAPSE: Final = 255
_IS_REFERRAL: Final = f"e.channel = {REFERRAL!r} AND match(e.url, {CODE_PATTERN!r})"
# Where time has come to everywhere: the latest hit of the partition that is furthest behind, with some room.
SURELY_PASSED: Final = """
    SELECT min(latest) - 120000
    FROM (SELECT max(toUnixTimestamp64Milli(event_time)) AS latest FROM hits GROUP BY source_partition)
"""
_KEY: Final = "Tuple(site String, person_id String, model String, time DateTime64(3, 'UTC'), ordinal Int64)"
_ROW: Final = (
    "Tuple(from_stage String, to_stage String, kind String, dwell_ms Int64, "
    "cause_event String, cause_url String, cause_channel String, cause_session_id String)"
)


def transition_checks(models: Models) -> list[tuple[str, str]]:
    """(name, SQL) of each model's check."""
    evidence = _evidence(models)
    return [
        (f"transitions.{model.name}", _difference(model, _batch(models, at, evidence)))
        for at, model in enumerate(models.models)
    ]


def _evidence(models: Models) -> str:
    """Hits that satisfy a rule of any model by themselves, in order, with what earlier evidence says."""
    by_hit = ", ".join(f"{_on_hit(bound)} AS hit_{rule}" for rule, bound in models.rules.items())
    rules = ", ".join(
        f"if({_unless_settled(bound, models)}, {rule}, 0)" for rule, bound in sorted(models.rules.items())
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
        min(toNullable(at)) OVER ({_BEFORE_THIS}) AS first,
        max(at) OVER (PARTITION BY site, person_id) AS last_of_all
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
        said.append(f"event IN ({_list(rule.event)})")
    if rule.url is not None:
        said.append(_any_of(f"path LIKE {like(glob)}" for glob in rule.url))
    if rule.channel is not None:
        said.append(f"channel IN ({_list(rule.channel)})")
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


def _holds(bound: BoundRule) -> str:
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


def _batch(models: Models, model: int, evidence: str) -> str:
    """The recomputed transitions. ``code`` is twice the stage, plus one where evidence may move a person back; LAPSE
    stands for a silence that has ended a journey. The silence after the last evidence is ``open``: how far time has
    come is not in the hits.
    """
    stages, lapse_ms = models.models[model].stage, models.lapse_ms[model]
    mine = [bound for bound in models.rules.values() if bound.model == model]
    first = _highest(bound for bound in mine if not bound.rule.fallback)
    fallback = _highest(bound for bound in mine if bound.rule.fallback)
    visits = f"""
    SELECT
        site, person_id,
        arraySort(arrayConcat(
            groupArrayIf((place, at, code), code > 0),
            groupArrayIf((place, silent_at, toUInt8({_LAPSE})), silent_at > 0)
        )) AS found,
        arrayFold(
            (visits, one) -> if(
                one.3 = {_LAPSE},
                if(visits[-1].3 > 0, arrayPushBack(visits, (toUInt64(0), one.2, toUInt8(0))), visits),
                if(
                    intDiv(one.3, 2) > visits[-1].3 OR (intDiv(one.3, 2) < visits[-1].3 AND one.3 % 2 = 1),
                    arrayPushBack(visits, (one.1, one.2, intDiv(one.3, 2))),
                    visits
                )
            ),
            found,
            []::Array(Tuple(UInt64, Int64, UInt8))
        ) AS until_now,
        if(
            until_now[-1].3 > 0,
            arrayPushBack(until_now, (toUInt64(0), any(last_of_all) + {lapse_ms}, toUInt8(0))),
            until_now
        ) AS visits,
        until_now[-1].3 > 0 AS is_open
    FROM
    (
        SELECT
            site, person_id, place, at, last_of_all,
            toUInt8(if(first_code > 0, first_code, fallback_code)) AS code,
            if(ifNull(at - previous > {lapse_ms}, 0), assumeNotNull(previous) + {lapse_ms}, 0) AS silent_at
        FROM (SELECT *, {first} AS first_code, {fallback} AS fallback_code FROM evidence)
    )
    WHERE code > 0 OR silent_at > 0
    GROUP BY site, person_id
    """
    names = "[" + _list(["", *(stage.id for stage in stages)]) + "]"
    return f"""
    WITH evidence AS ({evidence}) SELECT v.site AS site, v.person_id AS person_id,
    fromUnixTimestamp64Milli(v.visit.2, 'UTC') AS time, v.ordinal AS ordinal, {names}[v.before.3 + 1] AS
    from_stage, {names}[v.visit.3 + 1] AS to_stage, multiIf(v.visit.3 = 0, 'lapse', v.before.3 = 0 AND
    v.ordinal > 0, 'return', v.before.3 = 0, if({_IS_REFERRAL}, 'loop', 'enter'), v.visit.3 > v.before.3,
    'advance', 'regress') AS kind, if(v.before.3 = 0, 0, v.visit.2 - v.before.2) AS dwell_ms, e.event AS
    cause_event, e.url AS cause_url, e.channel AS cause_channel, e.session_id AS cause_session_id,
    v.is_last AND v.is_open AND v.visit.2 >= ({SURELY_PASSED}) AS may_lack FROM (
    SELECT site, person_id, is_open, number - 1 AS ordinal, visits[number] AS visit, visits[number - 1] AS before,
    number = length(visits) AS is_last FROM ({visits}) ARRAY JOIN arrayEnumerate(visits) AS number ) AS v
    LEFT ANY JOIN evidence AS e ON e.site = v.site AND e.person_id = v.person_id AND e.place = v.visit.1
    """


def _highest(bounds: Iterable[BoundRule]) -> str:
    codes = [f"if({_holds(bound)}, {2 * bound.stage + bound.back}, 0)" for bound in bounds]
    return f"greatest({', '.join(codes)}, 0)" if codes else "0"


def _difference(model: Model, batch: str) -> str:
    """Rows on one side only, or not the same. Without short circuits the many conditions take a fifth of the
    time.
    """
    key = f"(site, person_id, {text(model.name)}, time, ordinal)::{_KEY}"
    row = (
        "(from_stage, to_stage, kind, dwell_ms, cause_event, cause_url, cause_channel, cause_session_id)::"
        + _ROW
    )
    return f"""
    SELECT key, if(in_stream > 0, said, NULL) AS stream, if(in_batch > 0, found, NULL) AS batch FROM ( SELECT
    key, countIf(is_stream) AS in_stream, countIf(NOT is_stream) AS in_batch, anyIf(row, is_stream) AS said,
    anyIf(row, NOT is_stream) AS found, max(may_lack) AS may_lack FROM ( SELECT true AS is_stream, {key} AS key,
    {row} AS row, 0 AS may_lack FROM transitions WHERE model = {text(model.name)} UNION ALL SELECT false AS
    is_stream, {key} AS key, {row} AS row, may_lack FROM ({batch}) ) GROUP BY key ) WHERE NOT (in_stream = 0 AND
    may_lack = 1) AND (in_stream != 1 OR in_batch != 1 OR said != found) ORDER BY key
    SETTINGS short_circuit_function_evaluation = 'disable', join_use_nulls = 0
    """


def _all_of(said: list[str]) -> str:
    return "(" + " AND ".join(said) + ")"


def _any_of(said: Iterable[str]) -> str:
    return "(" + " OR ".join(said) + ")"


def _list(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in values)
