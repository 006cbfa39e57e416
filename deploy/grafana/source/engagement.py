"""Engagement: sessions, session time, bounce, pages and content."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    CHANNEL,
    HALF,
    QUARTER,
    RED,
    SITES,
    YELLOW,
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
        "masir-engagement",
        "Masir: Engagement",
        "Sessions, session time, bounce, pages and content",
        [*_now(), *_over_time(), *_what()],
        variables=("site", "channel", "window"),
    )


def _now() -> list[AnyPanel]:
    return [
        figure(
            "Active sessions", "Sessions open now.",
            prom('sum(masir_active_sessions{site=~"$site"})'),
            unit="short", width=QUARTER, link="sessions",
        ),
        figure(
            "Session time", "Mean of the sessions that closed in the window. A session with one hit counts as 0.",
            prom(f"max by (site) (masir_session_duration_seconds{{{OF}}})", "{{site}}"),
            unit="s", width=QUARTER, link="sessions",
        ),
        figure(
            "Bounce rate", "Sessions with a single page view, of those with any. Good and bad depend on the site: "
            "compare with its own past.",
            prom(f"max by (site) (masir_bounce_ratio{{{OF}}})", "{{site}}"),
            unit="percentunit", width=QUARTER, steps=[(0.6, YELLOW), (0.8, RED)], link="sessions",
        ),
        figure(
            "Sessions closed", "Sessions that closed in the window.",
            prom(f"sum by (site) (masir_sessions_closed{{{OF}}})", "{{site}}"),
            unit="short", width=QUARTER, link="sessions",
        ),
    ]  # fmt: skip


def _over_time() -> list[AnyPanel]:
    return [
        lines(
            "Session time",
            "A drop within minutes is a fault of the site; a fall over weeks is fading interest. usual: the same hour "
            "of earlier weeks.",
            prom(f"max by (site) (masir_session_duration_seconds{{{OF}}})", "{{site}}"),
            prom('site:masir_session_duration_seconds:usual{site=~"$site"}', "{{site}}, usual"),
            unit="s", link="sessions",
        ),
        lines(
            "Bounce rate",
            "Beside what is usual at this hour in earlier weeks.",
            prom(f"max by (site) (masir_bounce_ratio{{{OF}}})", "{{site}}"),
            prom('site_channel:masir_bounce_ratio:usual{site=~"$site", channel="$channel"}', "{{site}}, usual"),
            unit="percentunit", is_ratio=True, link="sessions",
        ),
        lines(
            "Active sessions",
            "Sessions open at each moment.",
            prom('sum by (site) (masir_active_sessions{site=~"$site"})', "{{site}}"),
            unit="short", link="sessions",
        ),
        lines(
            "Pages a session",
            "Page views by sessions. If session time falls and this does not, hits in between are missing.",
            over_time(f"""
SELECT $__timeInterval(start_time) AS time, site, avg(page_views) AS pages
FROM sessions
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time)
GROUP BY time, site
ORDER BY time"""),
            unit="short", link="sessions",
        ),
    ]  # fmt: skip


def _what() -> list[AnyPanel]:
    return [
        cells(
            "Pages", "Most viewed in the time chosen.",
            rows(f"""
SELECT site, path(url) AS page, count() AS views, uniqExact(person_id) AS persons
FROM hits
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(event_time) AND event IN ('page_view', 'screen_view') AND bot = 0
GROUP BY site, page
ORDER BY views DESC
LIMIT 100"""),
            units={}, link="hits",
        ),
        cells(
            "Entry pages", "Where sessions began, the pages that lose most people first.",
            rows(f"""
SELECT site, path(entry_url) AS page, count() AS sessions,
    avgOrNullIf(bounced, page_views > 0) AS bounce_ratio, sum(bounced) AS bounces,
    avg(duration_ms) / 1000 AS session_time, avg(converted) AS conversion_ratio
FROM sessions
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time)
GROUP BY site, page
ORDER BY bounces DESC
LIMIT 100"""),
            units={"bounce_ratio": "percentunit", "session_time": "s", "conversion_ratio": "percentunit"},
            link="sessions",
        ),
        cells(
            "Devices and countries", "One of them alone that differs points to a release or a network.",
            rows(f"""
SELECT device, browser, country, count() AS sessions,
    avgOrNullIf(bounced, page_views > 0) AS bounce_ratio,
    avg(duration_ms) / 1000 AS session_time, avg(converted) AS conversion_ratio
FROM sessions
WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time)
GROUP BY device, browser, country
ORDER BY sessions DESC
LIMIT 100"""),
            units={"bounce_ratio": "percentunit", "session_time": "s", "conversion_ratio": "percentunit"},
            link="sessions",
        ),
        cells(
            "New and returning", "Persons with one session, and with more, of those who came in the time chosen.",
            rows(f"""
SELECT f.visits AS visitors, count() AS sessions, uniqExact(s.person_id) AS persons,
    avgOrNullIf(s.bounced, s.page_views > 0) AS bounce_ratio,
    avg(s.duration_ms) / 1000 AS session_time, avg(s.converted) AS conversion_ratio
FROM (SELECT * FROM sessions WHERE {SITES} AND {CHANNEL} AND $__timeFilter(start_time)) AS s
LEFT ANY JOIN person_facts AS f ON f.site = s.site AND f.person_id = s.person_id
GROUP BY visitors
ORDER BY visitors"""),
            units={"bounce_ratio": "percentunit", "session_time": "s", "conversion_ratio": "percentunit"},
            width=HALF, link="sessions",
        ),
    ]  # fmt: skip
