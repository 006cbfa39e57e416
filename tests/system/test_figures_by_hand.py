"""Nineteen hits of two people, and what comes out with pen and paper by docs/metrics.md and docs/figures.md.

Ann comes by an ad, looks again, and buys after a newsletter, on another device; later a quarter is given back, and she
recommends the shop. Bob looks once. Both saw a call to action to buy, Ann two of them.
"""

import json
from typing import Any

import pytest

from .kit import T0, ask, hit, process, write_lines

DAY = 86_400_000
SHOP = "https://shop.example"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def story() -> list[bytes]:
    hero, footer = ({"cta": name, "goal": "purchase"} for name in ("hero", "footer"))
    mail: dict[str, Any] = {"campaign": {"name": "m1", "medium": "email"}}
    ann: dict[str, Any] = {"user_id": "ann"}
    order = {"order_id": "o1", "currency": "EUR"}
    return [
        hit("a1", T0, url=f"{SHOP}/blog/x?utm_source=google&utm_medium=cpc&utm_campaign=c1"),
        hit("a1", T0 + 60_000, url=f"{SHOP}/pricing"),
        hit("b", T0 + DAY, url=f"{SHOP}/"),
        hit("b", T0 + DAY + 5_000, event="cta_view", url=f"{SHOP}/", props=hero),
        hit("ads", T0 + 2 * DAY, event="ad_cost", channel="paid_search", revenue=30, currency="EUR"),
        hit("a1", T0 + 3 * DAY, url=f"{SHOP}/"),
        hit("a1", T0 + 3 * DAY + 10_000, event="cta_view", url=f"{SHOP}/", props=hero),
        hit("a1", T0 + 3 * DAY + 30_000, event="cta_view", url=f"{SHOP}/", props=footer),
        hit("", T0 + 4 * DAY, event="email_sent", **mail, **ann),
        hit("", T0 + 4 * DAY + 1, event="email_delivered", **mail, **ann),
        hit("b", T0 + 4 * DAY, event="email_sent", **mail),
        hit("b", T0 + 4 * DAY + 9, event="email_open", user_agent=PROXY, **mail),
        hit("a2", T0 + 5 * DAY, url=f"{SHOP}/?utm_source=news&utm_medium=email&utm_campaign=m1"),
        hit("a2", T0 + 5 * DAY + 20_000, event="purchase", revenue=100, **order, **ann),
        hit("a1", T0 + 6 * DAY, event="identify", **ann),
        hit("", T0 + 7 * DAY, event="refund", revenue=-25, **order, **ann),
        hit("", T0 + 8 * DAY, event="survey_response", score=9, props={"metric": "nps"}, **ann),
        hit("", T0 + 8 * DAY + 1, event="survey_response", score=4, scale=5, props={"metric": "csat"}, **ann),
        hit("", T0 + 8 * DAY + 2, event="survey_response", score=2, props={"metric": "nps"}, user_id="b"),
    ]


# Figure -> (its columns, from where) and what they are by hand.
FIGURES: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "sessions": (
        "person_id, channel, duration_ms, page_views, bounced, converted, toFloat64(revenue)",
        "sessions",
        [
            ("ann", "direct", 30_000, 1, 1, 0, 0.0),
            ("ann", "email", 20_000, 1, 1, 1, 100.0),
            ("ann", "paid_search", 60_000, 2, 0, 0, 0.0),
            ("b", "direct", 5_000, 1, 1, 0, 0.0),
        ],
    ),
    "orders": ("person_id, toFloat64(revenue), toFloat64(net_revenue)", "orders", [("ann", 100.0, 75.0)]),
    "persons": (
        "person_id, arrayStringConcat(visitor_ids, ' '), sessions, orders, stages['classic5'], stages['funnel4']",
        "persons WHERE person_id != 'ads'",
        [("ann", "a1 a2", 3, 1, "advocacy", "action"), ("b", "b", 1, 0, "awareness", "awareness")],
    ),
    "attribution": (  # 75 EUR, three touches: 40/20/40; half as much for each seven days before
        "channel, credits[1], credits[2], credits[3], credits[4], credits[5], round(credits[6], 3), revenues[5]",
        "(SELECT channel, groupArray(credit) AS credits, groupArray(toFloat64(revenue)) AS revenues FROM"
        " (SELECT * FROM attribution ORDER BY transform(model, ['first_touch', 'last_touch', 'last_non_direct',"
        " 'linear', 'position_based', 'time_decay'], [1, 2, 3, 4, 5, 6], 9)) GROUP BY channel)",
        [
            ("direct", 0.0, 0.0, 0.0, 0.333333, 0.2, 0.338, 15.0),
            ("email", 0.0, 1.0, 1.0, 0.333334, 0.4, 0.412, 30.0),
            ("paid_search", 1.0, 0.0, 0.0, 0.333333, 0.4, 0.251, 30.0),
        ],
    ),
    "cost per acquisition": (
        "model, cost_per_acquisition",
        "acquisition_costs WHERE model IN ('first_touch', 'last_touch', 'position_based')",
        [("first_touch", 30.0), ("last_touch", None), ("position_based", 75.0)],
    ),
    "goals": (
        "goal, conversions, session_ratio, persons_asked, goal_ratio",
        "goal_rates",
        [("purchase", 1, 0.25, 2, 0.5)],
    ),
    "channels": (
        "channel, sessions, persons, new_persons, mean_duration_seconds, pages_per_session, bounce_ratio,"
        " toFloat64(cost)",
        "channel_engagement",
        [
            ("direct", 2, 2, 1, 17.5, 1, 1, 0.0),
            ("email", 1, 1, 0, 20, 1, 1, 0.0),
            ("paid_search", 1, 1, 1, 60, 2, 0, 30.0),
        ],
    ),
    "satisfaction": (  # 4 of 5 is 7.75 of 10; one promoter and one detractor
        "metric, responses, score, satisfied_ratio",
        "satisfaction",
        [("csat", 1, 7.75, 0), ("nps", 2, 0, 0.5)],
    ),
    "e-mails": (  # Ann's visit is a click; Bob's was opened by a proxy alone
        "campaign_name, sum(sent), sum(arrived), sum(opened), sum(machine_opened), sum(clicked)",
        "email_rates GROUP BY campaign_name",
        [("m1", 2, 2, 1, 1, 1)],
    ),
    "stages": (  # the refund moves her back, the answer on: considered twice
        "stage, persons, visits, persons_now, persons_advanced, persons_regressed,"
        " round(mean_dwell_seconds / 86400, 3)",
        "stage_figures WHERE model = 'classic5'",
        [
            ("advocacy", 1, 1, 1, 0, 0, None),
            ("awareness", 2, 2, 1, 1, 0, 0.001),
            ("consideration", 1, 2, 0, 1, 0, 3.0),
            ("purchase", 1, 1, 0, 0, 1, 2.0),
        ],
    ),
    "funnel": (
        "stage, reached, entered",
        "stage_funnel WHERE model = 'classic5'",
        [
            ("advocacy", 1, 1),
            ("awareness", 2, 2),
            ("consideration", 1, 1),
            ("purchase", 1, 1),
            ("retention", 1, 0),
        ],
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Any]]]:
    """Figure -> its rows. The latest hits come first."""
    directory = tmp_path_factory.mktemp("by_hand")
    process(directory / "data", write_lines(directory / "hits.ndjson", reversed(story())))
    asked = " UNION ALL ".join(
        f"SELECT '{name}' AS figure, toJSONString(arraySort(groupArray(tuple(*)))) AS rows"
        f" FROM (SELECT {columns} FROM {source})"
        for name, (columns, source, _) in FIGURES.items()
    )
    return {row["figure"]: json.loads(row["rows"]) for row in ask(directory / "data", asked)}


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_that_by_hand(found: dict[str, list[list[Any]]], figure: str) -> None:
    assert found[figure] == [list(row) for row in FIGURES[figure][2]]
