"""Conversion: goals, orders, and the linear funnel beside what people really did."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    CHANNEL,
    SITES,
    THIRD,
    AnyPanel,
    cells,
    figure,
    lines,
    over_time,
    prom,
    rows,
)  # fmt: skip

OF = 'site=~"$site", channel="$channel", window="$window"'


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-conversion",
        "Masir: Conversion",
        "Goals, orders, the funnel beside the journey",
        [*_rates(), *_funnel(), *_orders()],
        variables=("site", "channel", "window", "model"),
        since="now-7d",
    )


def _rates() -> list[AnyPanel]:
    return [
        figure(
            "Conversion rate", "Of the sessions that closed in the window, the share with at least one goal.",
            prom(f"max by (site) (masir_conversion_ratio{{{OF}}})", "{{site}}"),
            unit="percentunit", width=THIRD, link="conversions",
        ),
        figure(
            "Usual at this hour", "The conversion rate of the same hour in earlier weeks.",
            prom('site_channel:masir_conversion_ratio:usual{site=~"$site", channel="$channel"}', "{{site}}"),
            unit="percentunit", width=THIRD,
        ),
        figure(
            "Customer lifetime value",
            "Mean order value × orders a year × expected years, in the currency of the orders.",
            prom('max by (site, currency) (masir_customer_lifetime_value{site=~"$site"})', "{{site}} ({{currency}})"),
            unit="short", width=THIRD, link="conversions",
        ),
        lines(
            "Conversion rate", "Beside what is usual at this hour in earlier weeks.",
            prom(f"max by (site) (masir_conversion_ratio{{{OF}}})", "{{site}}"),
            prom('site_channel:masir_conversion_ratio:usual{site=~"$site", channel="$channel"}', "{{site}}, usual"),
            unit="percentunit", is_ratio=True, link="conversions",
        ),
        lines(
            "Conversions by goal", "Goals reached, each hit of a goal once.",
            over_time(f"""
SELECT $__timeInterval(t.time) AS time, t.goal AS goal, count() AS conversions
FROM conversions AS t
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(t.time)
GROUP BY time, goal
ORDER BY time"""),
            unit="short", stacked=True, link="conversions",
        ),
    ]  # fmt: skip


def _funnel() -> list[AnyPanel]:
    return [
        cells(
            "The funnel beside the journey",
            "Of all time. reached: persons whose highest stage is this or a later one, as a funnel counts; entered: "
            "who ever was in it; skipped: reached, never entered; moved_back and exited: what a funnel does not see.",
            rows(f"""
SELECT site, stage, reached, step_ratio, entered, skipped, moved_back, exited
FROM stage_funnel
WHERE {SITES} AND model = ${{model:singlequote}}
ORDER BY site, position"""),
            units={"step_ratio": "percentunit"}, link="transitions",
        ),
        cells(
            "Goals and calls to action",
            "Of all time. session_ratio: of all sessions; goal_ratio: of the persons who saw a call to action of it.",
            rows(f"""
SELECT site, goal, conversions, persons, session_ratio, persons_asked, goal_ratio
FROM goal_rates
WHERE {SITES}
ORDER BY conversions DESC"""),
            units={"session_ratio": "percentunit", "goal_ratio": "percentunit"}, link="conversions",
        ),
    ]  # fmt: skip


def _orders() -> list[AnyPanel]:
    return [
        lines(
            "Revenue", "Net revenue of orders, refunds taken away, by currency.",
            over_time(f"""
SELECT $__timeInterval(t.time) AS time, toString(currency) AS currency, toFloat64(sum(net_revenue)) AS revenue
FROM orders AS t
WHERE {SITES} AND $__timeFilter(t.time)
GROUP BY time, currency
ORDER BY time"""),
            unit="short", link="conversions",
        ),
        cells(
            "Orders", "Orders in the time chosen: how large, and how many of the customers had bought before.",
            rows(f"""
SELECT site, toString(o.currency) AS currency, count() AS orders, uniqExact(person_id) AS customers,
    toFloat64(sum(net_revenue)) AS revenue, revenue / orders AS mean_order,
    uniqExactIf(person_id, order_number > 1) / customers AS repeat_ratio
FROM orders AS o
WHERE {SITES} AND $__timeFilter(time)
GROUP BY site, currency
ORDER BY revenue DESC"""),
            units={"repeat_ratio": "percentunit"}, link="conversions",
        ),
        cells(
            "Latest conversions", "The last hundred in the time chosen.",
            rows(f"""
SELECT time, site, goal, person_id, channel, campaign_name AS campaign, revenue, currency, order_id
FROM conversions
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(time)
ORDER BY time DESC
LIMIT 100"""),
            units={"time": "dateTimeAsIso"}, width=24, link="conversions",
        ),
    ]  # fmt: skip
