"""What a campaign did, and how each stage performed with it: the people it brought beside everyone, now and before.

A campaign is what the links of its visits call it (``utm_campaign``). Its people are those with a visit of it in the
scope. Everyone is the whole site; before is the time of the same length that ends where the scope begins.
"""

from typing import Any, Final

from msgspec import Struct

from pipeline.journey.map.facts import Item, Stage, performance
from pipeline.journey.scope import Scope
from pipeline.store.client import Reader, rows
from pipeline.store.sql import text

MOST_DAYS: Final = 62  # points of the curve of visits; a longer scope has several days to a point
DAY_MS: Final = 86_400_000


class Compared(Struct):
    """A stage: how many of the campaign's people were in it, and which share moved on; None where nobody was."""

    stage: str
    persons: int
    campaign: float | None
    everyone: float | None
    before: float | None


class Campaign(Struct):
    """Everything on a campaign's sheet. Money in the currency's unit, revenue net of refunds."""

    name: str
    sessions: int
    persons: int
    new_persons: int
    first_ms: int
    last_ms: int
    bounce_ratio: float | None
    conversions: int
    revenue: dict[str, float] = {}
    visits: list[int] = []
    channels: list[Item] = []
    cost: dict[str, float] = {}
    emails: int = 0
    opened: int = 0
    clicked: int = 0
    stages: list[Compared] = []


def campaigns_of(reader: Reader, scope: Scope, model: str, most: int) -> list[Campaign]:
    """The campaigns of most visits."""
    if not most:
        return []
    in_sessions = scope.where("start_time")
    found = rows(reader, _CAMPAIGNS.format(site=text(scope.site), scope=in_sessions, most=most))
    everyone = performance(reader, scope, model)
    before = performance(reader, scope.before(), model)
    return [_filled(reader, scope, model, Campaign(**row), everyone, before) for row in found]


def _filled(
    reader: Reader,
    scope: Scope,
    model: str,
    campaign: Campaign,
    everyone: dict[str, Stage],
    before: dict[str, Stage],
) -> Campaign:
    of_it = f"campaign_name = {text(campaign.name)}"
    in_sessions = f"{scope.where('start_time')} AND {of_it}"
    campaign.visits = _visits(reader, scope, in_sessions)
    campaign.channels = [
        Item(row["name"], row["persons"], row["persons"] / campaign.persons)
        for row in rows(
            reader,
            "SELECT channel AS name, uniqExact(person_id) AS persons FROM sessions "
            f"WHERE {in_sessions} GROUP BY name ORDER BY persons DESC, name LIMIT 4",
        )
    ]
    campaign.revenue = _money(
        reader, f"SELECT currency, net_revenue AS amount FROM orders WHERE {scope.where('time')} "
        f"AND session_id IN (SELECT session_id FROM sessions WHERE {in_sessions})"
    )  # fmt: skip
    campaign.cost = _money(
        reader, f"SELECT currency, cost AS amount FROM costs WHERE {scope.where('time')} AND {of_it}"
    )
    (mails,) = rows(
        reader,
        "SELECT countIf(email_messages.sent) AS emails, countIf(email_messages.opened) AS opened, "
        f"countIf(email_messages.clicked) AS clicked FROM email_messages WHERE {scope.where('time')} AND {of_it}",
    )
    campaign.emails, campaign.opened, campaign.clicked = mails["emails"], mails["opened"], mails["clicked"]
    own = performance(reader, scope, model, f"SELECT person_id FROM sessions WHERE {in_sessions}")
    campaign.stages = [
        Compared(
            stage,
            own[stage].persons,
            own[stage].advance_ratio,
            everyone[stage].advance_ratio,
            before[stage].advance_ratio,
        )
        for stage in everyone
    ]
    return campaign


def _money(reader: Reader, amounts: str) -> dict[str, float]:
    """Currency -> sum of the ``amount``s, greatest first."""
    query = f"SELECT currency, toFloat64(sum(ifNull(amount, 0))) AS total FROM ({amounts}) GROUP BY currency"
    return {
        row["currency"]: row["total"]
        for row in rows(reader, query + " HAVING total != 0 ORDER BY total DESC")
    }


def _visits(reader: Reader, scope: Scope, in_sessions: str) -> list[int]:
    """Visits per point of the curve, from the beginning of the scope to its end."""
    days = max(-(-(scope.end_ms - scope.start_ms) // DAY_MS), 1)
    width_ms = -(-days // MOST_DAYS) * DAY_MS
    found: dict[int, Any] = {
        row["point"]: row["visits"]
        for row in rows(
            reader,
            f"SELECT intDiv(toUnixTimestamp64Milli(start_time) - {scope.start_ms}, {width_ms}) AS point, "
            f"count() AS visits FROM sessions WHERE {in_sessions} GROUP BY point",
        )
    }
    return [found.get(point, 0) for point in range(-(-days * DAY_MS // width_ms))]


_CAMPAIGNS = """
SELECT
    c.campaign_name AS name, count() AS sessions, uniqExact(c.person_id) AS persons,
    uniqExactIf(c.person_id, c.start_time = f.first_time) AS new_persons,
    toUnixTimestamp64Milli(min(c.start_time)) AS first_ms, toUnixTimestamp64Milli(max(c.start_time)) AS last_ms,
    if(countIf(c.page_views > 0) = 0, NULL, countIf(c.bounced) / countIf(c.page_views > 0)) AS bounce_ratio,
    sum(c.conversions) AS conversions
FROM (SELECT * FROM sessions WHERE {scope} AND campaign_name != '') AS c
LEFT ANY JOIN
    (SELECT person_id, min(start_time) AS first_time FROM sessions WHERE site = {site} GROUP BY person_id) AS f
    ON f.person_id = c.person_id
GROUP BY name ORDER BY sessions DESC, name LIMIT {most}
"""
