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
from pipeline.core.rules import ORDER_EVENT, Since
from pipeline.store.checks import Check
from pipeline.store.sql import like, text

_ORDER: Final = "PARTITION BY site, person_id ORDER BY at, rules, event, url, channel, session_id"
_UP_TO_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_BEFORE_THIS: Final = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_SINCE: Final = {"order": "last_order", "previous": "previous", "first": "first"}
_LAPSE: Final = 255
_IS_REFERRAL: Final = f"cause.3 = {REFERRAL!r} AND match(cause.2, {CODE_PATTERN!r})"
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


def transition_check(models: Models) -> Check:
    """Of all models at once: reading the evidence is most of the work."""
    return Check("transitions", _difference(models), tuple(model.name for model in models.models))


def _evidence(models: Models) -> str:
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


def _where_it_applies(bound: BoundRule, models: Models) -> str:
    """Sites may name the models that apply to them."""
    name = models.models[bound.model].name
    others = [site for site, names in models.sites.items() if name not in names]
    return f" AND site NOT IN ({_list(others)})" if others else ""


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


def batch_transitions(models: Models) -> str:
    """The recomputed transitions, as in the view; ``may_lack``: time may not have come to it."""
    names = f"[{', '.join('[' + _list(['', *(stage.id for stage in model.stage)]) + ']' for model in models.models)}]"
    return f"""
    SELECT
        site, person_id, [{_list(model.name for model in models.models)}][number] AS model,
        fromUnixTimestamp64Milli(visit.2, 'UTC') AS time, ordinal,
        {names}[number][before.3 + 1] AS from_stage, {names}[number][visit.3 + 1] AS to_stage,
        multiIf(
            visit.3 = 0, 'lapse',
            before.3 = 0 AND ordinal > 0, 'return',
            before.3 = 0, if({_IS_REFERRAL}, 'loop', 'enter'),
            visit.3 > before.3, 'advance',
            'regress'
        ) AS kind,
        if(before.3 = 0, 0, visit.2 - before.2) AS dwell_ms,
        cause.1 AS cause_event, cause.2 AS cause_url, cause.3 AS cause_channel, cause.4 AS cause_session_id,
        is_open AND visit.2 >= ({SURELY_PASSED}) AS may_lack
    FROM
    (
        SELECT
            site, person_id, number, toInt64(step) - 1 AS ordinal, visits[step] AS visit, visits[step - 1] AS before,
            causes[visits[step].1] AS cause, has_open_end AND step = length(visits) AS is_open
        FROM
        (
            SELECT site, person_id, causes, number, found.1 AS visits, found.2 AS has_open_end
            FROM ({_walks(models)})
            ARRAY JOIN walks AS found, arrayEnumerate(walks) AS number
        )
        ARRAY JOIN arrayEnumerate(visits) AS step
    )
    """


def _walks(models: Models) -> str:
    """Per person ``causes``, by place, and for each model its walk: the visits of stages as (place, time, stage), and
    whether the last one is the end of a silence that may not be over: how far time has come is not in the hits.

    In a walk goes evidence as (place, time, code). A code is twice the stage, plus one where evidence may move a person
    back; LAPSE stands for a silence that has ended a journey.
    """
    walks = ", ".join(_walk(number, lapse_ms) for number, lapse_ms in enumerate(models.lapse_ms, start=1))
    return f"""
    SELECT
        site, person_id,
        arraySort(one -> one.1, groupArray((place, at, codes, silences, (event, url, channel, session_id)))) AS found,
        arrayMap(one -> one.5, found) AS causes,
        max(at) AS last_of_all,
        [{walks}] AS walks
    FROM ({_coded(models)})
    GROUP BY site, person_id
    """


def _walk(number: int, lapse_ms: int) -> str:
    silence = f"(one.1, one.4[{number}], toUInt8({_LAPSE}))"
    walk = f"""
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
        arrayCompact(one -> one.3, arrayFlatten(arrayMap(
            one -> arrayConcat(
                if(one.4[{number}] > 0, [{silence}], []),
                if(one.3[{number}] > 0, [(one.1, one.2, one.3[{number}])], [])
            ),
            found
        ))),
        []::Array(Tuple(UInt64, Int64, UInt8))
    ) AS walk_{number}"""
    end = f"(toUInt64(0), last_of_all + {lapse_ms}, toUInt8(0))"
    return f"(if(({walk})[-1].3 > 0, arrayPushBack(walk_{number}, {end}), walk_{number}), walk_{number}[-1].3 > 0)"


def _coded(models: Models) -> str:
    """Evidence with the ``codes`` of all models, and when the ``silences`` before it ended their journeys, or 0."""
    codes, silences = [], []
    for number, lapse_ms in enumerate(models.lapse_ms):
        mine = [bound for bound in models.rules.values() if bound.model == number]
        first = _highest(bound for bound in mine if not bound.rule.fallback)
        fallback = _highest(bound for bound in mine if bound.rule.fallback)
        codes.append(f"toUInt8(if(({first} AS first_{number}) > 0, first_{number}, {fallback}))")
        silences.append(f"if(ifNull(at - previous > {lapse_ms}, 0), assumeNotNull(previous) + {lapse_ms}, 0)")
    return f"""
    SELECT
        site, person_id, place, at, event, url, channel, session_id,
        [{", ".join(codes)}] AS codes, [{", ".join(silences)}] AS silences
    FROM ({_evidence(models)})
    """


def _highest(bounds: Iterable[BoundRule]) -> str:
    codes = [f"if({_holds(bound)}, {2 * bound.stage + bound.back}, 0)" for bound in bounds]
    return f"greatest({', '.join(codes)}, 0)" if codes else "0"


def _difference(models: Models) -> str:
    """Rows on one side only, or not the same. Without short circuits the many conditions take a fifth of the
    time.
    """
    key = f"(site, person_id, model, time, ordinal)::{_KEY}"
    row = (
        "(from_stage, to_stage, kind, dwell_ms, cause_event, cause_url, cause_channel, cause_session_id)::"
        + _ROW
    )
    return f"""
    SELECT key, if(in_stream > 0, said, NULL) AS stream, if(in_batch > 0, found, NULL) AS batch
    FROM
    (
        SELECT
            key, countIf(is_stream) AS in_stream, countIf(NOT is_stream) AS in_batch,
            anyIf(row, is_stream) AS said, anyIf(row, NOT is_stream) AS found, max(may_lack) AS may_lack
        FROM
        (
            SELECT true AS is_stream, {key} AS key, {row} AS row, 0 AS may_lack
            FROM transitions
            WHERE model IN ({_list(model.name for model in models.models)})
            UNION ALL
            SELECT false AS is_stream, {key} AS key, {row} AS row, may_lack FROM ({batch_transitions(models)})
        )
        GROUP BY key
    )
    WHERE NOT (in_stream = 0 AND may_lack = 1) AND (in_stream != 1 OR in_batch != 1 OR said != found)
    ORDER BY key
    SETTINGS short_circuit_function_evaluation = 'disable', join_use_nulls = 0
    """


def _all_of(said: list[str]) -> str:
    return "(" + " AND ".join(said) + ")"


def _any_of(said: Iterable[str]) -> str:
    return "(" + " OR ".join(said) + ")"


def _list(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in values)
