"""Voice of the customer: CSAT, CES, NPS, and what becomes of e-mails."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    GREEN,
    RED,
    SITES,
    THIRD,
    WIDE,
    YELLOW,
    AnyPanel,
    cells,
    figure,
    lines,
    over_time,
    prom,
    rows,
)  # fmt: skip

OF = 'site=~"$site", window="$window"'


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-voice",
        "Masir: Voice of the customer",
        "Satisfaction, effort, recommendation, e-mail",
        [*_scores(), *_answers(), *_emails()],
        variables=("site", "window"),
        since="now-30d",
    )


def _scores() -> list[AnyPanel]:
    return [
        figure(
            "NPS", "Share of 9 and 10 less share of 0 to 6, in points from -100 to 100, of the answers in the window.",
            prom(f"max by (site) (masir_nps_score{{{OF}}})", "{{site}}"),
            unit="none", width=THIRD, steps=[(-100, RED), (0, YELLOW), (30, GREEN)], link="surveys",
        ),
        figure(
            "CSAT", "Mean satisfaction from 1 to 10. 8 and more counts as satisfied.",
            prom(f"max by (site) (masir_csat_score{{{OF}}})", "{{site}}"),
            unit="none", width=THIRD, steps=[(1, RED), (6, YELLOW), (8, GREEN)], link="surveys",
        ),
        figure(
            "CES", "Mean effort score from 1 to 10: high is hard.",
            prom(f"max by (site) (masir_ces_score{{{OF}}})", "{{site}}"),
            unit="none", width=THIRD, link="surveys",
        ),
        lines(
            "NPS", "Of the answers in the window.",
            prom(f"max by (site) (masir_nps_score{{{OF}}})", "{{site}}"),
            prom('site:masir_nps_score:week{site=~"$site"}', "{{site}}, seven days"),
            unit="none", link="surveys",
        ),
        lines(
            "CSAT and CES", "Of the answers in the window, on the scale of 1 to 10.",
            prom(f"max by (site) (masir_csat_score{{{OF}}})", "{{site}} CSAT"),
            prom(f"max by (site) (masir_ces_score{{{OF}}})", "{{site}} CES"),
            unit="none", link="surveys",
        ),
    ]  # fmt: skip


def _answers() -> list[AnyPanel]:
    return [
        lines(
            "Answers", "How many a day: below a hundred a week a change of the score says little.",
            over_time(f"""
SELECT toDateTime(day) AS time, metric, sum(s.responses) AS answers
FROM satisfaction AS s
WHERE {SITES} AND $__dateFilter(day)
GROUP BY time, metric
ORDER BY time"""),
            unit="short", stacked=True, link="surveys",
        ),
        cells(
            "Scores by day", "From the rows. satisfied_ratio: 8 and more of 10.",
            rows(f"""
SELECT day, site, metric, responses AS answers, score, satisfied_ratio
FROM satisfaction
WHERE {SITES} AND $__dateFilter(day)
ORDER BY day DESC, site, metric
LIMIT 300"""),
            units={"satisfied_ratio": "percentunit"}, link="surveys",
        ),
        cells(
            "What they say", "The latest answers, the lowest first of each day.",
            rows(f"""
SELECT time, site, person_id, metric, score, scale, JSONExtractString(props, 'comment') AS comment, channel,
    path(url) AS page
FROM survey_responses
WHERE {SITES} AND $__timeFilter(time)
ORDER BY toDate(time) DESC, normalised_score
LIMIT 100"""),
            units={"time": "dateTimeAsIso"}, width=WIDE, link="surveys",
        ),
    ]  # fmt: skip


def _emails() -> list[AnyPanel]:
    return [
        lines(
            "E-mail open rate", "Opened by delivered (sent, where no delivery is known), each e-mail once.",
            prom(f"max by (site) (masir_email_open_ratio{{{OF}}})", "{{site}}"),
            unit="percentunit", is_ratio=True, link="emails",
        ),
        lines(
            "E-mail complaint rate", "Reported as spam by delivered. Mail providers ask for less than 0.1 %.",
            prom(f"max by (site) (masir_email_complaint_ratio{{{OF}}})", "{{site}}"),
            unit="percentunit", is_ratio=True, steps=[(0.001, YELLOW), (0.003, RED)], link="emails",
        ),
        cells(
            "E-mails by campaign",
            "E-mails sent in the time chosen, and what became of them since. machine_opened: by scanners and privacy "
            "proxies, not counted as opened.",
            rows(f"""
SELECT site, campaign_name AS campaign, sum(e.sent) AS sent, sum(e.arrived) AS arrived, sum(e.opened) AS opened,
    sum(e.machine_opened) AS machine_opened, sum(e.clicked) AS clicked, sum(e.bounced) AS bounced,
    sum(e.unsubscribed) AS unsubscribed, opened / nullIf(arrived, 0) AS open_ratio,
    clicked / nullIf(arrived, 0) AS click_ratio, sum(e.complained) / nullIf(arrived, 0) AS complaint_ratio
FROM email_rates AS e
WHERE {SITES} AND $__dateFilter(day)
GROUP BY site, campaign
ORDER BY sent DESC
LIMIT 100"""),
            units={"open_ratio": "percentunit", "click_ratio": "percentunit", "complaint_ratio": "percentunit"},
            width=WIDE, link="emails",
        ),
    ]  # fmt: skip
