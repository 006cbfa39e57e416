"""A small store that has something on every row of the map, and its facts."""

from store.kit import Row, hit

from pipeline.store.client import Client
from pipeline.store.content import set_content
from pipeline.store.sink import Sink

from .kit import DAY, HOUR, order, put, visit, walk

LABELS = {"awareness": "Awareness", "consideration": "Consideration", "purchase": "Purchase"}


def survey(at: int, who: str, metric: str, score: float) -> Row:
    props = f'{{"metric":"{metric}"}}'
    return hit(at, who, event="survey_response", outcome="background", score=score, scale=10.0, props=props)


def fill(client: Client, sink: Sink) -> None:
    """ann goes through, bob goes back, cyd leaves with a reason, ten more only look; all came by `spring`, in sms."""
    set_content(client, {})
    looking = [f"p{number}" for number in range(10)]
    names = ["ann", "bob", "cyd", *looking]
    hits = [hit(at, who, session_id=f"{who}-0", url="/blog/x") for who in names for at in (0, 60_000)]
    hits += [hit(HOUR, who, session_id=f"{who}-{HOUR}", url="/compare") for who in ("ann", "bob")]
    hits += [
        order(2 * DAY, "ann", 120, "o1", session_id="ann-0"),
        order(3 * DAY, "ann", 20.5, "o1", event="refund", outcome="background", goal=False),
        survey(3 * DAY, "ann", "csat", 9), survey(3 * DAY, "ann", "nps", 10), survey(3 * DAY, "cyd", "nps", 2),
        hit(3 * DAY, "cyd", event="churn_feedback", outcome="background", props='{"reason":"=too <dear>"}'),
        hit(4 * DAY, "ads", event="ad_cost", outcome="background", revenue_micros=5_000_000, currency="EUR",
            channel="sms", campaign_name="spring"),
    ]  # fmt: skip
    sessions = [visit(0, who, "sms", campaign_name="spring", page_views=2) for who in names]
    sessions += [visit(HOUR, who, "email", conversions=1, converted=True) for who in ("ann", "bob")]
    transitions = [
        *walk(client, "ann", (0, "awareness"), (HOUR, "consideration"), (2 * DAY, "purchase")),
        *walk(client, "bob", (0, "awareness"), (HOUR, "consideration"), (5 * DAY, "awareness")),
        *walk(client, "cyd", (0, "awareness"), (6 * DAY, "")),
        *(step for who in looking for step in walk(client, who, (0, "awareness"))),
    ]
    put(sink, hits, sessions, transitions)
