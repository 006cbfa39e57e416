"""What the map says, as the store has it: one record per stage, the flows between them, the main figures.

A stay belongs to the map if it began in the scope; one that ends after the scope has not ended yet. A touchpoint
belongs to the stage the person was in when it came. Durations are seconds, shares 0 to 1, None where nothing is known.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from pipeline.journey.funnel import Flow
from pipeline.journey.scope import Scope, ScopeError
from pipeline.store.client import Reader, rows
from pipeline.store.sql import instant, text

MOST: Final = {"touchpoints": 5, "channels": 5, "contents": 3, "reasons": 3}  # that a stage lists
BUCKETS: Final = 24  # of the small curve of touchpoints over time


class Item(Struct):
    """A line of a list: how many persons, and their share of the stage's (or of those who met it)."""

    name: str
    persons: int
    share: float


class Stage(Struct):
    """A column of the map."""

    stage: str
    position: int
    persons: int = 0
    now: int = 0
    advanced: int = 0
    exited: int = 0
    touches: int = 0
    sessions: int = 0
    median_seconds: float | None = None
    session_seconds: float | None = None
    csat: float | None = None
    ces: float | None = None
    nps: float | None = None
    answers: int = 0
    at_risk: int = 0
    curve: list[int] = []
    touchpoints: list[Item] = []
    channels: list[Item] = []
    contents: list[Item] = []
    reasons: list[Item] = []

    @property
    def exit_ratio(self) -> float | None:
        """Of those who entered the stage, how many left the journey there."""
        return self.exited / self.persons if self.persons else None

    @property
    def advance_ratio(self) -> float | None:
        """Of those who entered the stage, how many moved on from it."""
        return self.advanced / self.persons if self.persons else None


class Totals(Struct):
    """The figures at the head."""

    persons: int
    sessions: int
    conversion_ratio: float | None
    revenue: dict[str, float]
    nps: float | None


class MapFacts(Struct):
    """Everything on the first sheet."""

    scope: Scope
    model: str
    totals: Totals
    stages: list[Stage]
    flows: list[Flow]


def map_facts(reader: Reader, scope: Scope, model: str) -> MapFacts:
    """Raises ScopeError if the store knows no such model."""
    ask = _Asked(reader, scope, model)
    stages = {row["stage"]: Stage(**row) for row in ask(_STAGES)}
    if not stages:
        known = ", ".join(
            row["model"] for row in rows(reader, "SELECT DISTINCT model FROM stages ORDER BY model")
        )
        raise ScopeError(f"the store knows no model {model}; there are {known}")
    for query in (_VOLUMES, _SESSION_TIMES, _SATISFACTION, _AT_RISK):
        for row in ask(query):
            stage = stages.get(row.pop("stage"))
            for name, value in row.items() if stage else ():
                setattr(stage, name, value)
    for row in (*ask(_LISTS), *ask(_REASONS)):
        items = getattr(stages.get(row["stage"]), row["list"], None)
        if items is not None and len(items) < MOST[row["list"]]:
            items.append(Item(row["name"], row["persons"], row["share"]))
    (totals,) = ask(_TOTALS)
    revenue = {row["currency"]: row["revenue"] for row in ask(_REVENUE)}
    flows = [Flow(**row) for row in ask(_FLOWS)]
    return MapFacts(scope, model, Totals(**totals, revenue=revenue), list(stages.values()), flows)


def performance(reader: Reader, scope: Scope, model: str, persons: str = "") -> dict[str, Stage]:
    """Stage -> how it performed: persons, now, advanced, exited; ``persons``: only those a subquery gives."""
    chosen = f" AND person_id IN ({persons})" if persons else ""
    return {row["stage"]: Stage(**row) for row in _Asked(reader, scope, model, chosen)(_STAGES)}


class _Asked:
    """Asks with the scope filled in."""

    def __init__(self, reader: Reader, scope: Scope, model: str, chosen: str = "") -> None:
        self._reader = reader
        self._values: Mapping[str, Any] = {
            "model": text(model),
            "site": text(scope.site),
            "start": instant(scope.start_ms),
            "stays": f"SELECT *, ifNull(left_time < {instant(scope.end_ms)}, 0) AS ended FROM stage_visits "
            f"WHERE model = {text(model)} AND {scope.where('entered_time')}{chosen}",
            "touches": f"SELECT * FROM touchpoints WHERE model = {text(model)} AND {scope.where('time')} "
            "AND stage != ''",
            "in_sessions": scope.where("start_time"),
            "in_time": scope.where("time"),
            "so_far": f"site = {text(scope.site)} AND time < {instant(scope.end_ms)}",
            "bucket_ms": max((scope.end_ms - scope.start_ms) // BUCKETS, 1),
            "buckets": BUCKETS,
        }

    def __call__(self, query: str) -> list[dict[str, Any]]:
        return rows(self._reader, query.format_map(self._values))


_STAGES = """
SELECT
    s.stage AS stage, s.position AS position,
    uniqExactIf(v.person_id, v.person_id != '') AS persons,
    uniqExactIf(v.person_id, v.person_id != '' AND NOT v.ended) AS now,
    uniqExactIf(v.person_id, v.ended AND v.left_kind = 'advance') AS advanced,
    uniqExactIf(v.person_id, v.ended AND v.exited) AS exited,
    if(countIf(v.ended) = 0, NULL, quantileExactIf(v.dwell_ms, v.ended) / 1000) AS median_seconds
FROM (SELECT stage, position FROM stages WHERE model = {model}) AS s
LEFT JOIN ({stays}) AS v ON v.stage = s.stage
GROUP BY stage, position ORDER BY position
SETTINGS join_use_nulls = 0
"""
_FLOWS = """
SELECT from_stage, to_stage, kind, count() AS moves, uniqExact(person_id) AS persons,
    quantileExact(moves.dwell_ms) / 1000 AS median_seconds
FROM
(
    SELECT previous_stage AS from_stage, stage AS to_stage, entered_kind AS kind, person_id, NULL AS dwell_ms
    FROM ({stays}) WHERE previous_stage = ''
    UNION ALL
    SELECT stage AS from_stage, next_stage AS to_stage, left_kind AS kind, person_id, dwell_ms
    FROM ({stays}) WHERE ended
) AS moves
GROUP BY from_stage, to_stage, kind ORDER BY from_stage, to_stage, kind
"""
_VOLUMES = """
SELECT stage, sum(number) AS touches, uniqExactArray(ids) AS sessions,
    arrayMap(
        at -> toUInt64(arraySum((n, b) -> if(b = at, n, 0), groupArray(number), groupArray(bucket))), range({buckets})
    ) AS curve
FROM
(
    SELECT stage, least(intDiv(dateDiff('millisecond', {start}, time), {bucket_ms}), {buckets} - 1) AS bucket,
        count() AS number, groupUniqArrayIf(session_id, session_id != '') AS ids
    FROM ({touches}) GROUP BY stage, bucket
)
GROUP BY stage
"""
_SESSION_TIMES = """
SELECT t.stage AS stage, avg(s.duration_ms) / 1000 AS session_seconds
FROM sessions AS s
INNER JOIN
(
    SELECT session_id, argMin(stage, (time, source_partition, source_offset)) AS stage
    FROM ({touches}) WHERE session_id != '' GROUP BY session_id
) AS t ON t.session_id = s.session_id
WHERE {in_sessions} GROUP BY stage
"""
_SATISFACTION = """
SELECT t.stage AS stage, count() AS answers,
    if(countIf(s.metric = 'csat') = 0, NULL, avgIf(s.normalised_score, s.metric = 'csat')) AS csat,
    if(countIf(s.metric = 'ces') = 0, NULL, avgIf(s.normalised_score, s.metric = 'ces')) AS ces,
    if(countIf(s.metric = 'nps') = 0, NULL, 100 * (countIf(s.metric = 'nps' AND s.normalised_score >= 9)
        - countIf(s.metric = 'nps' AND s.normalised_score <= 6)) / countIf(s.metric = 'nps')) AS nps
FROM (SELECT * FROM survey_responses WHERE {in_time} AND normalised_score IS NOT NULL) AS s
INNER JOIN (SELECT * FROM ({touches}) WHERE event = 'survey_response') AS t
    ON t.source_partition = s.source_partition AND t.source_offset = s.source_offset
GROUP BY stage
"""
_AT_RISK = """
SELECT v.stage AS stage, uniqExact(v.person_id) AS at_risk
FROM ({stays}) AS v
INNER JOIN
(
    SELECT person_id FROM (SELECT person_id, reason, argMax(state, (time, ordinal)) AS latest
        FROM signals WHERE {so_far} GROUP BY person_id, reason)
    WHERE latest = 'raised'
) AS r ON r.person_id = v.person_id
WHERE NOT v.ended GROUP BY stage
"""
_NOT_MET: Final = "('email_sent', 'email_delivered', 'email_bounce', 'order_shipped', 'ad_cost')"
_LISTS: Final = f"""
SELECT stage, list, name, persons, persons / whole AS share
FROM
(
    SELECT stage, list, name,
        if(list = 'contents', uniqExactIf(person_id, has_moved), uniqExact(person_id)) AS persons,
        uniqExact(person_id) AS met,
        max(if(list = '', met, 0)) OVER (PARTITION BY stage) AS of_stage,
        if(list = 'contents', met, of_stage) AS whole
    FROM (SELECT *, left_kind = 'advance' AND left_time <= time + INTERVAL 7 DAY AS has_moved FROM ({{touches}}))
    ARRAY JOIN
        ['', 'touchpoints', 'channels', 'contents'] AS list,
        ['', if(content != '', content, event), channel, content] AS name,
        [true, event NOT IN {_NOT_MET}, session_id != '', content != ''] AS belongs
    WHERE belongs
    GROUP BY stage, list, name
)
WHERE list IN ('touchpoints', 'channels') OR list = 'contents' AND met >= 5 AND persons > 0
ORDER BY stage, list, if(list = 'contents', share, toFloat64(persons)) DESC, name
LIMIT {max(MOST.values())} BY stage, list
"""
_REASONS = f"""
SELECT stage, 'reasons' AS list, name, persons, persons / sum(persons) OVER (PARTITION BY stage) AS share
FROM
(
    SELECT t.stage AS stage,
        if(JSONExtractString(h.props, 'reason') != '', JSONExtractString(h.props, 'reason'),
            JSONExtractString(h.props, 'topic')) AS name,
        uniqExact(h.person_id) AS persons
    FROM (SELECT * FROM ({{touches}}) WHERE event IN {{said}}) AS t
    INNER JOIN (SELECT * FROM hits WHERE site = {{site}} AND event IN {{said}}) AS h
        ON h.source_partition = t.source_partition AND h.source_offset = t.source_offset
    GROUP BY stage, name HAVING name != ''
)
ORDER BY stage, persons DESC, name LIMIT {MOST["reasons"]} BY stage
""".replace(
    "{said}", "('churn_feedback', 'subscription_cancel', 'refund', 'support_ticket_open', 'survey_response')"
)
_TOTALS = """
SELECT
    (SELECT uniqExact(person_id) FROM ({touches})) AS persons,
    (SELECT count() FROM sessions WHERE {in_sessions}) AS sessions,
    (SELECT if(count() = 0, NULL, countIf(converted) / count()) FROM sessions WHERE {in_sessions}) AS conversion_ratio,
    (SELECT if(count() = 0, NULL, 100 * (countIf(normalised_score >= 9) - countIf(normalised_score <= 6)) / count())
        FROM survey_responses WHERE {in_time} AND metric = 'nps' AND normalised_score IS NOT NULL) AS nps
"""
_REVENUE = """
SELECT currency, toFloat64(sum(net_revenue)) AS revenue FROM orders WHERE {in_time}
GROUP BY currency HAVING revenue != 0 ORDER BY revenue DESC
"""
