"""Acquisition: where people come from, what they cost, and what each channel leads to."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    CHANNEL,
    HALF,
    SITES,
    THIRD,
    WIDE,
    AnyPanel,
    bars,
    cells,
    lines,
    now,
    over_time,
    prom,
    rows,
)  # fmt: skip


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-acquisition",
        "Masir: Acquisition",
        "Channels, campaigns, costs and attribution",
        [*_channels(), *_costs(), *_sources()],
        variables=("site", "channel", "window"),
        since="now-7d",
    )


def _channels() -> list[AnyPanel]:
    return [
        lines(
            "Sessions by channel",
            "Sessions that closed in the window. A session closes half an hour after its last hit.",
            prom(
                'sum by (channel) (masir_sessions_closed{site=~"$site", channel!="all", window="$window"})',
                "{{channel}}",
            ),
            unit="short", width=2 * THIRD, stacked=True, link="sessions",
        ),
        bars(
            "Conversion by channel",
            "Of the sessions of a channel that closed in the window, the share with a goal. Several sites: the best.",
            now(
                'max by (channel) (masir_conversion_ratio{site=~"$site", channel!="all", window="$window"})',
                "{{channel}}",
            ),
            unit="percentunit", width=THIRD, link="conversions",
        ),
        cells(
            "Channels side by side",
            "Sessions that began in the time chosen. Conversions and revenue are those of the channel's own sessions; "
            "what other channels contributed to is under attribution.",
            rows(f"""
SELECT channel, sum(d.sessions) AS sessions, sum(d.duration_ms) / nullIf(sessions, 0) / 1000 AS session_time,
    sum(d.page_views) / nullIf(sessions, 0) AS pages_per_session,
    sum(d.bounced) / nullIf(sum(d.counted), 0) AS bounce_ratio,
    sum(d.converted) / nullIf(sessions, 0) AS conversion_ratio,
    sum(d.conversions) AS conversions, sum(d.revenue) AS revenue, sum(d.cost) AS cost
FROM channel_days AS d
WHERE {SITES} AND {CHANNEL} AND $__dateFilter(day)
GROUP BY channel
ORDER BY sessions DESC"""),
            units={"session_time": "s", "bounce_ratio": "percentunit", "conversion_ratio": "percentunit"},
            width=WIDE, link="sessions",
        ),
    ]  # fmt: skip


def _costs() -> list[AnyPanel]:
    return [
        bars(
            "Cost per acquisition",
            "Costs by conversions that are attributed to the channel, in the currency of the costs.",
            now(
                'max by (site, channel, currency) (masir_cost_per_acquisition{site=~"$site"})',
                "{{channel}} ({{currency}})",
            ),
            unit="short", link="costs",
        ),
        cells(
            "Costs and what they brought",
            "Of all time, by last touch that was not direct. return: revenue for each unit of cost.",
            rows(f"""
SELECT site, channel, currency, cost, conversions, orders, cost_per_acquisition, revenue,
    return_on_ad_spend AS return
FROM acquisition_costs
WHERE {SITES} AND {CHANNEL} AND model = 'last_non_direct'
ORDER BY cost DESC"""),
            units={}, link="costs",
        ),
        cells(
            "Attribution: who gets the credit",
            "Conversions in the time chosen, shared out by six models; each column adds up to all conversions. A "
            "channel that is much larger under first touch brings people, one under last touch closes.",
            rows(f"""
SELECT channel,
    sumIf(credit, model = 'first_touch') AS first_touch, sumIf(credit, model = 'last_touch') AS last_touch,
    sumIf(credit, model = 'last_non_direct') AS last_non_direct, sumIf(credit, model = 'linear') AS linear,
    sumIf(credit, model = 'position_based') AS position_based, sumIf(credit, model = 'time_decay') AS time_decay
FROM attribution
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(time)
GROUP BY channel
ORDER BY linear DESC"""),
            units={}, link="conversions",
        ),
    ]  # fmt: skip


def _sources() -> list[AnyPanel]:
    return [
        lines(
            "New persons",
            "Persons seen for the first time.",
            over_time(f"""
SELECT $__timeInterval(first_seen) AS time, site, count() AS persons
FROM persons
WHERE {SITES} AND $__timeFilter(first_seen)
GROUP BY time, site
ORDER BY time"""),
            unit="short", link="sessions",
        ),
        cells(
            "Campaigns",
            "Sessions that began in the time chosen.",
            rows(f"""
SELECT campaign_source AS source, campaign_medium AS medium, campaign_name AS campaign, channel,
    count() AS sessions, uniqExact(person_id) AS persons, avg(converted) AS conversion_ratio,
    sum(s.revenue) AS revenue
FROM sessions AS s
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time) AND campaign_source != ''
GROUP BY source, medium, campaign, channel
ORDER BY sessions DESC
LIMIT 100"""),
            units={"conversion_ratio": "percentunit"}, link="sessions",
        ),
        cells(
            "Referrers",
            "Sites that sent people, without own domains.",
            rows(f"""
SELECT domain(referrer) AS referrer_site, channel, count() AS sessions,
    avgOrNullIf(bounced, page_views > 0) AS bounce_ratio, avg(converted) AS conversion_ratio
FROM sessions
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time) AND referrer != ''
GROUP BY referrer_site, channel
ORDER BY sessions DESC
LIMIT 100"""),
            units={"bounce_ratio": "percentunit", "conversion_ratio": "percentunit"}, width=HALF, link="sessions",
        ),
    ]  # fmt: skip
