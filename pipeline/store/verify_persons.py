"""The batch side of "stream equals batch" for persons: links and credits, recomputed from stored rows in SQL.

Nothing of ``pipeline.core.persons`` is used but its names and thresholds. Links come from the hits; whose a hit or a
session is, from the links (the views say that). Credits come from conversions, sessions and refunds.

Each check gives the rows that differ as (``key``, ``stream``, ``batch``), as in ``checks``. Left out: visitors with a
pair that an operator unlinked, or with a user who has too many (no hit says so: the stream's word is taken). Persons
that have outgrown their limit and then met late hits may differ, and so may those of a session with very many
conversions.
"""

from typing import Final

from pipeline.core.persons.attribution import HALF_LIFE_MS, LOOK_BACK_MS, MODELS, WHOLE
from pipeline.store.checks import PERSON, Check, Rules
from pipeline.store.sql import ACCEPTED, differing


def person_checks(rules: Rules) -> list[Check]:
    """Of links and of attribution."""
    return [Check("links", _links(rules)), Check("attribution", _attribution(), by=PERSON)]


def _links(rules: Rules) -> str:
    """A link that hits tell of and the stream does not know, or knows with another time; and one of no hit."""
    batch = f"""
    SELECT site, visitor_id, user_id, min(toUnixTimestamp64Milli(event_time)) AS since
    FROM hits
    WHERE {ACCEPTED} AND visitor_id != '' AND user_id != '' AND visitor_id != user_id
    GROUP BY site, visitor_id, user_id
    """
    return f"""
    SELECT
        (site, visitor_id, user_id)::Tuple(site String, visitor_id String, user_id String) AS key,
        if(in_stream, tuple(said)::Tuple(since Int64), NULL) AS stream,
        if(in_batch, tuple(found)::Tuple(since Int64), NULL) AS batch
    FROM
    (
        SELECT
            site, visitor_id, user_id, countIf(side = 1) = 1 AS in_stream, countIf(side = 2) = 1 AS in_batch,
            anyIf(since, side = 1) AS said, anyIf(since, side = 2) AS found
        FROM
        (
            SELECT 1 AS side, site, visitor_id, user_id, toUnixTimestamp64Milli(links.since) AS since FROM links
            UNION ALL
            SELECT 2 AS side, site, visitor_id, user_id, since FROM ({batch})
        )
        GROUP BY site, visitor_id, user_id
    )
    WHERE (in_stream AND NOT in_batch) OR (in_stream AND in_batch AND said != found)
        OR (in_batch AND NOT in_stream AND (site, visitor_id) NOT IN (SELECT site, visitor_id FROM links_rows)
            AND (site, user_id) NOT IN ({rules.crowded}))
    ORDER BY key
    """


_NAMES: Final = [f"{model}_{unit}" for unit in ("ppm", "micros") for model in MODELS]


def _credits_of_the_rows() -> str:
    values = ", ".join(
        f"arrayElement({column}, place)[{at}] AS {model}_{unit}"
        for column, unit in (("credits", "ppm"), ("shares", "micros"))
        for at, model in enumerate(MODELS, start=1)
    )
    return f"""
    SELECT
        site, person_id, time, event, order_id, copy, toInt64(place) AS touch_number, toInt64(n) AS touches,
        touch.1 AS touch_time, touch.2 AS session_id, touch.3 AS channel, currency, {values}
    FROM
    (
        SELECT
            *,
            arrayMap(i -> arrayMap(model -> model[i], parts_of_one), places) AS credits,
            arrayMap(i -> arrayMap(model -> model[i], parts_of_money), places) AS shares
        FROM
        (
            SELECT
                *,
                arrayMap(w -> {_divided(str(WHOLE))}, weights) AS parts_of_one,
                arrayMap(w -> {_divided("money")}, weights) AS parts_of_money
            FROM ({_weighed()})
        )
    )
    ARRAY JOIN path AS touch, places AS place
    """


def _credits_of_the_stream() -> str:
    return f"""
    SELECT
        site, person_id, toUnixTimestamp64Milli(a.time) AS time, event, order_id, toInt64(copy) AS copy,
        toInt64(touch_number) AS touch_number, toInt64(touches) AS touches,
        toUnixTimestamp64Milli(a.touch_time) AS touch_time,
        ifNull(
            nullIf(
                if(
                    empty(m.ids), m.session_id,
                    m.ids[greatest(1, arrayCount(start -> start <= a.touch_time, m.starts))]
                ),
                ''
            ),
            a.session_id
        ) AS session_id,
        channel, currency, {", ".join(_NAMES)}
    FROM credits AS a
    LEFT ANY JOIN (SELECT site, old_id, session_id, starts, ids FROM session_moves_rows FINAL) AS m
        ON m.site = a.site AND m.old_id = a.session_id
    """


def _attribution() -> str:
    """Credits in millionths and shares in micros, model by model."""
    stream, batch = _credits_of_the_stream(), _credits_of_the_rows()
    key = "site, person_id, time, event, order_id, copy, touch_number"
    rest = f"touches, touch_time, session_id, channel, currency, {', '.join(_NAMES)}"
    key_type = (
        "Tuple(site String, person_id String, time Int64, event String, order_id String, copy Int64, "
        "touch_number Int64)"
    )
    rest_type = (
        "Tuple(touches Int64, touch_time Int64, session_id String, channel String, currency String, "
        + ", ".join(f"{name} Int64" for name in _NAMES)
        + ")"
    )
    return differing(stream, batch, key=f"({key})::{key_type}", value=f"({rest})::{rest_type}")


def _divided(whole: str) -> str:
    """Parts of the whole by the weights ``w``: the running sum, rounded down, less the one before."""
    marks = f"arrayMap(r -> intDiv(toInt128(abs({whole})) * r, arraySum(w)), arrayCumSum(w))"
    return (
        f"arrayMap((m, i) -> toInt64(if({whole} < 0, -1, 1) * (m - if(i = 1, 0, {marks}[i - 1]))), "
        f"{marks}, arrayEnumerate(w))"
    )


def _weighed() -> str:
    """Each conversion with its touches and their weights by each model."""
    return f"""
    SELECT
        *,
        length(path) AS n,
        arrayEnumerate(path) AS places,
        arrayLastIndex(touch -> touch.3 != 'direct', path) AS known,
        [
            arrayMap(i -> toInt64(i = 1), places),
            arrayMap(i -> toInt64(i = n), places),
            arrayMap(i -> toInt64(i = if(known = 0, n, known)), places),
            arrayMap(i -> toInt64(1), places),
            arrayMap(i -> toInt64(if(n > 2 AND i IN (1, n), 2 * (n - 2), 1)), places),
            arrayMap(touch -> toInt64(round(exp2((touch.1 - time) / {HALF_LIFE_MS}) * 1048576)), path)
        ] AS weights
    FROM
    (
        SELECT
            c.site AS site, c.person_id AS person_id, c.time AS time, c.event AS event, c.order_id AS order_id,
            c.copy AS copy, c.currency AS currency, c.money AS money,
            arraySort(arrayFilter(
                touch -> touch.1 BETWEEN c.time - {LOOK_BACK_MS} AND c.time,
                arrayDistinct(arrayConcat(s.path, o.sessions))
            )) AS found,
            if(empty(found), [(c.time, '', c.channel)], found) AS path
        FROM ({_conversions()}) AS c
        LEFT ANY JOIN
        (
            SELECT
                site, person_id,
                groupArray((toUnixTimestamp64Milli(start_time), session_id, channel)) AS path,
                groupArray((toUnixTimestamp64Milli(start_time), toUnixTimestamp64Milli(end_time))) AS spans
            FROM sessions
            WHERE closed = 1
            GROUP BY site, person_id
        ) AS s ON s.site = c.site AND s.person_id = c.person_id
        LEFT ANY JOIN ({_own_sessions()}) AS o
            ON o.site = c.site AND o.person_id = c.person_id AND o.at = c.time
        WHERE NOT c.in_session OR notEmpty(o.sessions)
            OR arrayExists(span -> c.time BETWEEN span.1 AND span.2, s.spans)
    )
    """


def _own_sessions() -> str:
    """In which sessions the person's conversions of each time were, whosever visits those are: all are read."""
    return """
    SELECT
        h.site AS site, h.person_id AS person_id, toUnixTimestamp64Milli(h.event_time) AS at,
        groupUniqArray((toUnixTimestamp64Milli(s.start_time), s.session_id, s.channel)) AS sessions
    FROM (SELECT site, person_id, event_time, session_id FROM hits WHERE goal = 1 AND outcome = 'sessionized') AS h
    INNER JOIN
    (
        SELECT site, session_id, start_time, channel FROM sessions_rows FINAL WHERE closed = 1 AND conversions > 0
    ) AS s ON s.site = h.site AND s.session_id = h.session_id
    GROUP BY site, person_id, at
    """


def _conversions() -> str:
    """Money: what was paid, less the refunds of the order, which the first order of that id bears.

    ``gone``: by currency. What names none is taken to be in the other's.
    """
    micros = "toInt64(toDecimal128(ifNull(revenue, 0), 6) * 1000000)"
    return f"""
    SELECT
        h.site AS site, h.person_id AS person_id, h.time AS time, h.event AS event, h.order_id AS order_id,
        h.channel AS channel, h.currency AS currency, h.in_session AS in_session, h.copy AS copy,
        if(h.currency = '', arraySum(mapValues(r.gone)), r.gone[h.currency] + r.gone['']) AS back,
        if(h.is_first AND back > 0, greatest(0, h.paid - back), h.paid) AS money
    FROM
    (
        SELECT
            *,
            toInt64(row_number() OVER (
                PARTITION BY site, person_id, time, event, order_id ORDER BY paid, currency, channel, in_session
            ) - 1) AS copy
        FROM
        (
            SELECT
                site, person_id, toUnixTimestamp64Milli(event_time) AS time, event,
                if(event IN ('survey_response', 'refund'), '', order_id) AS order_id, channel, currency,
                outcome = 'sessionized' AS in_session, goal,
                if(event = 'survey_response', 0, {micros}) AS paid,
                event = 'purchase' AND order_id != '' AND row_number() OVER (
                    PARTITION BY site, person_id, order_id, event ORDER BY event_time, {micros}, currency, channel
                ) = 1 AS is_first
            FROM hits
            WHERE {ACCEPTED} AND (goal = 1 OR event = 'purchase')
        )
        WHERE goal = 1
    ) AS h
    LEFT ANY JOIN
    (
        SELECT site, person_id, order_id, sumMap(map(currency, abs({micros}))) AS gone
        FROM hits
        WHERE event = 'refund' AND order_id != '' AND {ACCEPTED}
        GROUP BY site, person_id, order_id
    ) AS r ON r.site = h.site AND r.person_id = h.person_id AND r.order_id = h.order_id
    """
