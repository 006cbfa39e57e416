"""Churn risk: how many, who, why, and how long; while they can still be kept."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    HALF,
    SITES,
    THIRD,
    WIDE,
    YELLOW,
    AnyPanel,
    bars,
    cells,
    figure,
    lines,
    now,
    over_time,
    prom,
    rows,
)  # fmt: skip

RAISED = f"""
    SELECT site, person_id, reason, argMax((state, score, time, evidence), (time, state)) AS latest
    FROM signals
    WHERE {SITES}
    GROUP BY site, person_id, reason
    HAVING latest.1 = 'raised'"""


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-churn",
        "Masir: Churn risk",
        "Customers who show signs of leaving: how many, who, why, how long",
        [*_now(), *_over_time(), *_who()],
        variables=("site",),
        since="now-7d",
    )


def _now() -> list[AnyPanel]:
    return [
        figure(
            "Signs raised now", "Persons with a sign, summed over reasons: who shows two is counted twice.",
            prom('sum by (site) (masir_churn_risk_persons{site=~"$site"})', "{{site}}"),
            unit="short", width=THIRD, link="signals",
        ),
        bars(
            "By reason", "Persons who show the sign now.",
            now('sum by (reason) (masir_churn_risk_persons{site=~"$site"})', "{{reason}}"),
            unit="short", width=THIRD, link="signals",
        ),
        bars(
            "Above the usual",
            "Now less the mean of the last week. Twice the usual, and 1 % of all persons more, is an alert.",
            now(
                """sum by (reason) (site_reason:masir_churn_risk_persons:sum{site=~"$site"})
                - sum by (reason) (site_reason:masir_churn_risk_persons:usual{site=~"$site"})""",
                "{{reason}}",
            ),
            unit="short", width=THIRD, steps=[(10, YELLOW)], link="signals",
        ),
    ]  # fmt: skip


def _over_time() -> list[AnyPanel]:
    return [
        lines(
            "Persons at risk", "By reason, over time.",
            prom('sum by (reason) (masir_churn_risk_persons{site=~"$site"})', "{{reason}}"),
            unit="short", stacked=True, link="signals",
        ),
        lines(
            "Signs raised per hour", "New signs, by reason.",
            prom('sum by (reason) (increase(masir_churn_signals_total{site=~"$site"}[1h]))', "{{reason}}"),
            unit="short", link="signals",
        ),
        lines(
            "Raised and cleared", "From the rows: signs raised above, cleared beside them. Cleared: they came back.",
            over_time(f"""
SELECT $__timeInterval(t.time) AS time, toString(state) AS state, count() AS signs
FROM signals AS t
WHERE {SITES} AND $__timeFilter(t.time)
GROUP BY time, state
ORDER BY time"""),
            unit="short", width=HALF, link="signals",
        ),
        cells(
            "How long", "Signs raised in the time chosen: how many were cleared, and after how long.",
            rows(f"""
SELECT reason, count() AS raised, count(cleared_time) AS cleared,
    quantileExactOrNull(0.5)(dateDiff('second', time, cleared_time)) AS median_until_cleared
FROM
(
    SELECT *, leadInFrame(toNullable(time)) OVER (PARTITION BY site, person_id, reason ORDER BY time, ordinal
        ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS cleared_time
    FROM signals
    WHERE {SITES}
)
WHERE state = 'raised' AND $__timeFilter(time)
GROUP BY reason
ORDER BY raised DESC"""),
            units={"median_until_cleared": "s"}, link="signals",
        ),
    ]  # fmt: skip


def _who() -> list[AnyPanel]:
    return [
        cells(
            "Who is at risk, and why",
            "Everybody with a sign raised now, the highest score first. Score: the weights of their signs, 1 at most.",
            rows(f"""
SELECT r.site AS site, r.person_id AS person_id, r.score AS score, r.reasons AS reasons, r.since AS since,
    p.last_seen AS last_seen, p.sessions AS sessions, p.orders AS orders, p.revenue AS revenue, r.evidence AS evidence
FROM
(
    SELECT site, person_id, least(sum(latest.2), 1) AS score, arraySort(groupArray(toString(reason))) AS reasons,
        min(latest.3) AS since, argMax(latest.4, latest.3) AS evidence
    FROM ({RAISED})
    GROUP BY site, person_id
) AS r
LEFT ANY JOIN persons AS p ON p.site = r.site AND p.person_id = r.person_id
ORDER BY score DESC, since
LIMIT 500"""),
            units={"score": "percentunit", "since": "dateTimeAsIso", "last_seen": "dateTimeAsIso"},
            width=WIDE, height=12, link="signals",
        ),
        cells(
            "What they are worth", "Customers at risk by how loyal they were, and what they have spent.",
            rows(f"""
SELECT f.loyalty AS loyalty, uniqExact(r.person_id) AS persons, toFloat64(sum(f.revenue)) AS spent
FROM (SELECT DISTINCT site, person_id FROM ({RAISED})) AS r
LEFT ANY JOIN person_facts AS f ON f.site = r.site AND f.person_id = r.person_id
GROUP BY loyalty
ORDER BY spent DESC"""),
            units={}, width=HALF, link="signals",
        ),
    ]  # fmt: skip
