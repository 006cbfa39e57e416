"""The batch side of "stream equals batch" for the view ``persons``: each row, recomputed from the stored hits.

Whose a hit or a session is follows from the hits that have both ids; of a pair that an operator unlinked, or a user who
has too many visitors, no hit tells, and the stream's word is taken. Stages and signs of leaving are those that the
checks of transitions and signals recompute. What may not have come yet (a timer's step, the row of an open session)
counts if the stream has said it.
"""

from typing import Final

from pipeline.core.models import Models
from pipeline.store.checks import PERSON, Check, Rules, batch_sessions, batch_visits
from pipeline.store.sql import ACCEPTED, differing, text
from pipeline.store.verify_signals import SignalSources, batch_signals
from pipeline.store.verify_transitions import batch_transitions

_MS: Final = "toUnixTimestamp64Milli"
_KEY: Final = "Tuple(site String, person_id String)"
_VALUES: Final = {
    "user_id": "String",
    "visitor_ids": "Array(String)",
    "first_seen": "Int64",
    "last_seen": "Int64",
    "sessions": "UInt64",
    "orders": "UInt64",
    "revenue": "Decimal(38, 6)",
    "stages": "Map(String, String)",
    "highest_stages": "Map(String, String)",
    "churn_score": "Float64",
    "churn_reasons": "Array(String)",
}


def person_row_check(sources: SignalSources, models: Models) -> Check:
    """Of all columns of all persons."""
    visits = batch_visits(sources.rules)
    full = _persons(sources.rules, batch_transitions(models), batch_signals(sources, visits), models)
    said = "SELECT *, 0 AS may_lack FROM {}".format
    short = _persons(sources.rules, said("transitions"), said("signals"), models)
    return Check(
        "persons",
        _difference(full),
        shorter=_difference(short),
        given=("transitions", "signals"),
        by=PERSON,
    )


def _difference(batch: str) -> str:
    key = f"(site, person_id)::{_KEY}"
    value = f"({', '.join(_VALUES)})::Tuple({', '.join(f'{name} {of}' for name, of in _VALUES.items())})"
    stream = f"SELECT * REPLACE ({_MS}(first_seen) AS first_seen, {_MS}(last_seen) AS last_seen) FROM persons"
    return differing(stream, batch, key=key, value=value)


def _persons(rules: Rules, transitions: str, signals: str, models: Models) -> str:
    """``transitions``, ``signals``: queries, as :func:`batch_transitions` and :func:`batch_signals` are."""
    joined = "site = {0}.site AND p.person_id = {0}.person_id"
    return f"""
    SELECT
        p.site AS site, p.person_id AS person_id,
        p.user_id AS user_id, p.visitor_ids AS visitor_ids, p.first_seen AS first_seen, p.last_seen AS last_seen,
        p.orders AS orders, p.revenue AS revenue, v.sessions AS sessions,
        s.stages AS stages, s.highest_stages AS highest_stages,
        r.churn_score AS churn_score, r.churn_reasons AS churn_reasons
    FROM ({_seen(rules)}) AS p
    LEFT ANY JOIN ({_visits(rules)}) AS v ON p.{joined.format("v")}
    LEFT ANY JOIN ({_stages(transitions, models)}) AS s ON p.{joined.format("s")}
    LEFT ANY JOIN ({_risks(signals)}) AS r ON p.{joined.format("r")}
    """


def _seen(rules: Rules) -> str:
    hits = f"""
    SELECT site, visitor_id, user_id, {_MS}(event_time) AS at, event, goal, revenue_micros
    FROM hits_rows FINAL
    WHERE {ACCEPTED}
    """
    return f"""
    SELECT
        site, owner AS person_id,
        argMaxIf(user_id, (at, user_id), user_id != '') AS user_id,
        arraySort(groupUniqArrayIf(visitor_id, visitor_id != '')) AS visitor_ids,
        min(at) AS first_seen, max(at) AS last_seen,
        sum(event = 'purchase') AS orders,
        toDecimal128(sum(if(goal = 1, ifNull(revenue_micros, 0), 0)), 6) / 1000000 AS revenue
    FROM ({_owned(rules, hits, "at")})
    GROUP BY site, owner
    """


def _visits(rules: Rules) -> str:
    """How many sessions; those that are open count if the stream has their rows."""
    sessions = f"""
    SELECT *, if(startsWith(visitor, 'v'), substring(visitor, 2), '') AS visitor_id FROM ({batch_sessions(rules)})
    """
    latest = f"""
    SELECT source_partition AS of_partition, max({_MS}(event_time)) AS latest FROM hits_rows
    WHERE outcome != 'late'
    GROUP BY of_partition
    """
    return f"""
    SELECT site, owner AS person_id, count() AS sessions
    FROM ({_owned(rules, sessions, "start_time")}) AS b
    LEFT ANY JOIN ({latest}) AS h ON h.of_partition = b.source_partition
    WHERE b.end_time + {rules.timeout_ms + rules.final_after_ms} < h.latest
        OR (site, b.visitor_id, if(b.visitor_id = '', b.user_id, ''), b.start_time) IN (
            SELECT site, sessions.visitor_id, if(sessions.visitor_id = '', sessions.user_id, ''), {_MS}(start_time)
            FROM sessions
        )
    GROUP BY site, person_id
    """


def _owned(rules: Rules, rows: str, at: str) -> str:
    """The rows of a query with their ``owner``: the user, or who owned the visitor by the time ``at``, or first."""
    known = "SELECT site, visitor_id, user_id FROM links"
    owners = f"""
    SELECT site AS of_site, visitor_id AS of_visitor, arraySort(groupArray((since, user_id))) AS owners
    FROM
    (
        SELECT site, visitor_id, user_id, min({_MS}(event_time)) AS since
        FROM hits_rows FINAL
        WHERE {ACCEPTED} AND visitor_id != '' AND user_id != '' AND visitor_id != user_id
        GROUP BY site, visitor_id, user_id
    )
    WHERE (site, visitor_id, user_id) IN ({known})
        OR (
            (site, visitor_id) NOT IN (SELECT site, visitor_id FROM links_rows)
            AND (site, user_id) NOT IN ({rules.crowded})
        )
    GROUP BY site, visitor_id
    """
    return f"""
    SELECT
        r.*,
        multiIf(
            r.user_id != '', r.user_id,
            empty(o.owners), r.visitor_id,
            o.owners[greatest(1, arrayCount(owner -> owner.1 <= r.{at}, o.owners))].2
        ) AS owner
    FROM ({rows}) AS r
    LEFT ANY JOIN ({owners}) AS o ON o.of_site = r.site AND o.of_visitor = r.visitor_id
    """


def _stages(transitions: str, models: Models) -> str:
    """The stage of the latest step, if it is one, and the highest of all, by model."""
    names = ", ".join(text(model.name) for model in models.models)
    stages = ", ".join(
        "[" + ", ".join(text(stage.id) for stage in model.stage) + "]" for model in models.models
    )
    held = "SELECT site, person_id, model, time, ordinal FROM transitions"
    return f"""
    SELECT
        site, person_id,
        arraySort(groupArrayIf((model, stage), stage != ''))::Map(String, String) AS stages,
        arraySort(groupArray((model, highest)))::Map(String, String) AS highest_stages
    FROM
    (
        SELECT
            site, person_id, model, argMax(to_stage, ordinal) AS stage,
            [{stages}][indexOf([{names}], model)] AS known,
            known[max(indexOf(known, to_stage))] AS highest
        FROM ({transitions})
        WHERE NOT may_lack OR (site, person_id, model, time, ordinal) IN ({held})
        GROUP BY site, person_id, model
    )
    GROUP BY site, person_id
    """


def _risks(signals: str) -> str:
    """The reasons whose latest step raised them."""
    held = "SELECT site, person_id, reason, time, ordinal FROM signals"
    return f"""
    SELECT
        site, person_id, arraySort(groupArray(reason)) AS churn_reasons,
        least(1, arraySum(arraySort(groupArray(weight)))) AS churn_score
    FROM
    (
        SELECT site, person_id, reason, any(score) AS weight
        FROM ({signals})
        WHERE NOT may_lack OR (site, person_id, reason, time, ordinal) IN ({held})
        GROUP BY site, person_id, reason
        HAVING argMax(state, ordinal) = 'raised'
    )
    GROUP BY site, person_id
    """
