"""The batch side of "stream equals batch" for the stages: SQL, made from the model files.

Nothing of the fold in ``pipeline.core`` is used: evidence is that of ``transition_evidence``, the walk through the
stages is an arrayFold. Reads the views ``hits`` and ``transitions``. The check gives the rows that differ as (``key``,
``stream``, ``batch``): tuples with named fields; ``stream`` or ``batch`` is null where that side has no such row. No
rows: both say the same. Journeys that have outgrown their limit and then met late evidence may differ.
"""

from typing import Final

from pipeline.core.models import Models
from pipeline.core.plans import BoundRule
from pipeline.core.referrals import CODE_PATTERN, REFERRAL
from pipeline.store.checks import PERSON, Check
from pipeline.store.transition_evidence import evidence, held, listed

_LAPSE: Final = 255
_IS_REFERRAL: Final = f"cause.3 = {REFERRAL!r} AND match(cause.2, {CODE_PATTERN!r})"
# Where time has come to everywhere: the latest hit of the partition that is furthest behind, with some room.
SURELY_PASSED: Final = """
    SELECT min(latest) - 120000
    FROM (SELECT max(toUnixTimestamp64Milli(event_time)) AS latest FROM hits_rows GROUP BY source_partition)
"""
_KEY: Final = "Tuple(site String, person_id String, model String, time DateTime64(3, 'UTC'), ordinal Int64)"
_ROW: Final = (
    "Tuple(from_stage String, to_stage String, kind String, dwell_ms Int64, "
    "cause_event String, cause_url String, cause_channel String, cause_session_id String)"
)


def transition_check(models: Models) -> Check:
    """Of all models at once: reading the evidence is most of the work."""
    return Check("transitions", _difference(models), tuple(model.name for model in models.models), by=PERSON)


def batch_transitions(models: Models) -> str:
    """The recomputed transitions, as in the view; ``may_lack``: time may not have come to it."""
    names = f"[{', '.join('[' + listed(['', *(stage.id for stage in model.stage)]) + ']' for model in models.models)}]"
    return f"""
    SELECT
        site, person_id, [{listed(model.name for model in models.models)}][number] AS model,
        fromUnixTimestamp64Milli(visit.2, 'UTC') AS time, ordinal,
        {names}[number] AS stages, stages[before.3 + 1] AS from_stage, stages[visit.3 + 1] AS to_stage,
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
            causes[visit.1] AS cause, has_open_end AND step = length(visits) AS is_open
        FROM ({_walks(models)})
        ARRAY JOIN arrayEnumerate(visits) AS step
    )
    """


def _walks(models: Models) -> str:
    """Per person and ``number`` of a model: ``causes``, by place, the ``visits`` of stages as (place, time, stage), and
    whether the last one is the end of a silence that may not be over: how far time has come is not in the hits.

    In a walk goes evidence as (place, time, code). A code is twice the stage, plus one where evidence may move a person
    back; LAPSE stands for a silence that has ended a journey.
    """
    lapses = ", ".join(f"toInt64({lapse_ms})" for lapse_ms in models.lapse_ms)
    return f"""
    SELECT
        site, person_id, number, causes, walk[-1].3 > 0 AS has_open_end,
        if(has_open_end, arrayPushBack(walk, (toUInt64(0), last_of_all + lapse_ms, toUInt8(0))), walk) AS visits
    FROM
    (
        SELECT site, person_id, number, lapse_ms, causes, last_of_all, {_WALK} AS walk
        FROM
        (
            SELECT
                site, person_id,
                arraySort(one -> one.1, groupArray((place, at, codes, silences, (event, url, channel, session_id))))
                    AS found,
                arrayMap(one -> one.5, found) AS causes,
                arrayMap(one -> (one.1, one.2, one.3, one.4), found) AS pieces,
                max(at) AS last_of_all
            FROM ({_coded(models)})
            GROUP BY site, person_id
        )
        ARRAY JOIN [{lapses}] AS lapse_ms, arrayEnumerate([{lapses}]) AS number
    )
    """


_WALK: Final = f"""
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
        arrayCompact(one -> one.3, arrayFilter(one -> one.3 > 0, arrayFlatten(arrayMap(
            one -> [
                (one.1, one.4[number], toUInt8(if(one.4[number] > 0, {_LAPSE}, 0))),
                (one.1, one.2, one.3[number])
            ],
            pieces
        )))),
        []::Array(Tuple(UInt64, Int64, UInt8))
    )"""


def _coded(models: Models) -> str:
    """Evidence with the ``codes`` of all models, and when the ``silences`` before it ended their journeys, or 0."""
    highest, codes, silences = [], [], []
    for number, lapse_ms in enumerate(models.lapse_ms):
        mine = [bound for bound in models.rules.values() if bound.model == number]
        first = _highest([bound for bound in mine if not bound.rule.fallback])
        fallback = _highest([bound for bound in mine if bound.rule.fallback])
        highest.append(f"{first} AS first_{number}, {fallback} AS fallback_{number}")
        codes.append(f"toUInt8(if(first_{number} > 0, first_{number}, fallback_{number}))")
        silences.append(f"if(ifNull(at - previous > {lapse_ms}, 0), assumeNotNull(previous) + {lapse_ms}, 0)")
    return f"""
    SELECT
        site, person_id, place, at, event, url, channel, session_id,
        [{", ".join(codes)}] AS codes, [{", ".join(silences)}] AS silences
    FROM (SELECT *, {", ".join(highest)} FROM (SELECT *, {held(models)} AS held FROM ({evidence(models)})))
    """


def _highest(bounds: list[BoundRule]) -> str:
    """The highest code of those of these rules that hold, or 0."""
    codes = [2 * bound.stage + bound.back for bound in bounds]
    known = f"transform(rule, {[bound.id for bound in bounds]}, {codes}, 0)"
    return f"arrayMax(arrayMap(rule -> {known}, held))" if bounds else "0"


def _difference(models: Models) -> str:
    """Rows on one side only, or not the same."""
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
            WHERE model IN ({listed(model.name for model in models.models)})
            UNION ALL
            SELECT false AS is_stream, {key} AS key, {row} AS row, may_lack FROM ({batch_transitions(models)})
        )
        GROUP BY key
    )
    WHERE NOT (in_stream = 0 AND may_lack = 1) AND (in_stream != 1 OR in_batch != 1 OR said != found)
    ORDER BY key
    """
