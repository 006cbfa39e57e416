"""Rows: what stands behind the figures of the other dashboards, which link here. The order is that of ROW_KINDS."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import CHANNEL, PERSON, ROW_KINDS, ROWS, SITES, WIDE, cells, rows

LATEST = "ORDER BY time DESC LIMIT 1000"
QUERIES = {
    "sessions": f"""
SELECT start_time AS time, site, person_id, channel, campaign_name AS campaign, entry_url, exit_url, hits, page_views,
    duration_ms / 1000 AS duration, bounced, converted, revenue, device, country, session_id
FROM sessions
WHERE {SITES} AND {CHANNEL} AND {PERSON} AND $__timeFilter(start_time)
{LATEST}""",
    "hits": f"""
SELECT event_time AS time, site, person_id, event, url, channel, outcome, revenue, currency, score, session_id, props
FROM hits
WHERE {SITES} AND {CHANNEL} AND {PERSON} AND $__timeFilter(event_time)
{LATEST}""",
    "transitions": f"""
SELECT time, site, person_id, model, from_stage, to_stage, kind, dwell_ms / 1000 AS dwell, cause_event, cause_channel,
    cause_url
FROM transitions
WHERE {SITES} AND {PERSON} AND $__timeFilter(time)
{LATEST}""",
    "conversions": f"""
SELECT time, site, person_id, event, channel, campaign_name AS campaign, revenue, currency, order_id, session_id
FROM conversions
WHERE {SITES} AND {CHANNEL} AND {PERSON} AND $__timeFilter(time)
{LATEST}""",
    "signals": f"""
SELECT time, site, person_id, reason, state, score, evidence
FROM signals
WHERE {SITES} AND {PERSON} AND $__timeFilter(time)
{LATEST}""",
    "surveys": f"""
SELECT time, site, person_id, metric, score, scale, normalised_score, channel, url, props
FROM survey_responses
WHERE {SITES} AND {CHANNEL} AND {PERSON} AND $__timeFilter(time)
{LATEST}""",
    "emails": f"""
SELECT time, site, person_id, action, campaign_name AS campaign, url, props
FROM emails
WHERE {SITES} AND {PERSON} AND $__timeFilter(time)
{LATEST}""",
    "costs": f"""
SELECT time, site, channel, campaign_source AS source, campaign_name AS campaign, cost, currency
FROM costs
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(time)
{LATEST}""",
    "dead letters": f"""
SELECT received_time AS time, site, reason, field, message, raw, topic, `partition`, `offset`
FROM dead_letters
WHERE $__timeFilter(received_time)
{LATEST}""",
}
UNITS = {"time": "dateTimeAsIso", "duration": "s", "dwell": "s"}


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        ROWS,
        "Masir: Rows",
        "The rows behind the figures, the newest thousand; name a person to see one journey",
        [
            cells(
                kind.capitalize(),
                f"The newest thousand {kind} in the time chosen.",
                rows(QUERIES[kind]),
                units=UNITS,
                width=WIDE,
                height=11,
            )
            for kind in ROW_KINDS
        ],
        variables=("site", "channel", "person"),
    )
