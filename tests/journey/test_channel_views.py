"""Satisfaction, e-mail, goals, calls to action, costs and channels, as the engine works them out."""

from decimal import Decimal

import pytest
from store.kit import Row, hit

from pipeline.store.client import Client
from pipeline.store.goal_pages import set_goal_pages
from pipeline.store.sink import Sink

from .kit import DAY, order, put, table, visit


def survey(at: int, metric: str, score: float, scale: float | None = 10) -> Row:
    return hit(
        at, "ann", event="survey_response", outcome="background", score=score, scale=scale,
        props=f'{{"metric":"{metric}"}}',
    )  # fmt: skip


def test_satisfaction_at_its_boundaries(client: Client, sink: Sink) -> None:
    put(sink, [survey(0, "csat", 8), survey(1, "csat", 7), survey(2, "csat", 11)])
    put(
        sink,
        [survey(3, "nps", score) for score in (10, 9, 8, 7, 6)]
        + [survey(4, "csat", 5, 5), survey(DAY, "csat", 1)],
    )
    columns = "toString(day), metric, responses, satisfied, promoters, detractors, score, satisfied_ratio"
    assert table(client, "satisfaction", columns) == [
        ("2026-01-01", "csat", 3, 2, 1, 0, 25 / 3, 2 / 3),
        ("2026-01-01", "nps", 5, 3, 2, 1, 20.0, 0.6),
        ("2026-01-02", "csat", 1, 0, 0, 1, 1.0, 0.0),
    ]


def mail(at: int, action: str, who: str = "ann", **fields: object) -> Row:
    values: Row = {"event": f"email_{action}", "outcome": "background", "campaign_name": "spring"}
    return hit(at, who, **(values | fields))


def test_each_email_counts_once_and_machines_are_told_apart(client: Client, sink: Sink) -> None:
    put(
        sink,
        [
            mail(0, "sent"), mail(1, "delivered"), mail(2, "open"), mail(3, "open"), mail(4, "click"), mail(5, "click"),
            mail(0, "sent", "bob"), mail(1, "delivered", "bob"),
            mail(2, "open", "bob", outcome="bot", bot=True, browser="YahooMailProxy"),
            mail(0, "sent", "cyd"), mail(1, "delivered", "cyd"),
            mail(2, "open", "cyd", outcome="bot", bot=True, browser="GmailImageProxy"),
            mail(0, "sent", "dan"), mail(1, "delivered", "dan"), mail(2, "open", "dan", browser="Apple Mail Privacy"),
            mail(0, "sent", "eve"), mail(1, "bounce", "eve"),
            mail(0, "sent", "fay"), mail(3, "open", "fay", props='{"machine":true}'), mail(4, "click", "fay"),
        ],
    )  # fmt: skip
    columns = (
        "sent, delivered, arrived, opened, machine_opened, clicked, bounced, "
        "open_ratio, click_ratio, bounce_ratio"
    )
    assert table(client, "email_rates", columns) == [(6, 4, 5, 2, 3, 2, 1, 0.4, 0.4, 1 / 6)]


def test_without_a_delivery_those_that_did_not_bounce_arrived(client: Client, sink: Sink) -> None:
    put(
        sink,
        [mail(0, "sent"), mail(0, "sent", "bob"), mail(5, "open"), mail(0, "open", "cyd", campaign_name="x")],
    )
    assert table(client, "email_rates", "campaign_name, arrived, opened, open_ratio") == [
        ("spring", 2, 1, 0.5), ("x", 1, 1, 1.0)
    ]  # fmt: skip


def test_bounces_are_of_what_is_known_to_have_been_sent_and_for_good(client: Client, sink: Sink) -> None:
    """ann: a soft bounce, then delivered. bob, cyd: of a service that does not tell of sending. eve only opened."""
    put(
        sink,
        [
            mail(0, "sent"), mail(1, "bounce"), mail(2, "delivered"),
            mail(0, "delivered", "bob"), mail(0, "bounce", "cyd"), mail(0, "open", "eve"),
            mail(0, "bounce", campaign_name="x"),
        ],
    )  # fmt: skip
    columns = "campaign_name, sent, arrived, bounced, dispatched, bounce_ratio"
    assert table(client, "email_rates", columns) == [("spring", 1, 3, 1, 3, 1 / 3), ("x", 0, 0, 1, 1, 1.0)]


def test_what_was_opened_or_complained_of_has_arrived_after_a_bounce_too(client: Client, sink: Sink) -> None:
    hits = [mail(at, what, who) for who in ("ann", "bob") for at, what in enumerate(("sent", "bounce"))]
    put(
        sink,
        [
            *hits,
            mail(5, "open"),
            mail(5, "complaint", "bob"),
            mail(0, "sent", "cyd"),
            mail(1, "bounce", "cyd"),
        ],
    )
    columns = "arrived, opened, bounced, open_ratio, bounce_ratio, complaint_ratio"
    assert table(client, "email_rates", columns) == [(2, 1, 1, 0.5, 1 / 3, 0.5)]


def test_a_visit_without_a_campaign_clicks_no_email_and_a_text_is_no_machine(
    client: Client, sink: Sink
) -> None:
    machines = ("true", "1", '"true"', "false")
    put(
        sink,
        [mail(0, "sent", campaign_name="", props='{"email_id":"invoice"}')]
        + [
            mail(n, "open", f"m{n}", props=f'{{"email_id":"{n}","machine":{said}}}')
            for n, said in enumerate(machines)
        ],
        [visit(DAY, "ann", "email")],
    )
    assert table(client, "email_messages", "email_id, clicked, opened, machine_opened") == [
        ("0", 0, 0, 1), ("1", 0, 0, 1), ("2", 0, 1, 0), ("3", 0, 1, 0), ("invoice", 0, 0, 0),
    ]  # fmt: skip


def test_two_emails_of_one_campaign_are_two_by_their_id_and_a_visit_clicks_the_latest(
    client: Client, sink: Sink
) -> None:
    put(
        sink,
        [mail(0, "sent", props='{"email_id":"1"}'), mail(DAY, "sent", props='{"email_id":"2"}')],
        [
            visit(2 * DAY, "ann", "email", campaign_name="spring"),
            visit(-1, "ann", "email", campaign_name="spring"),
        ],
    )
    assert table(client, "email_messages", "email_id, clicked") == [("1", 0), ("2", 1)]


def test_an_email_without_a_usable_id_is_that_of_its_campaign(client: Client, sink: Sink) -> None:
    unusable = ('{"email_id":""}', '{"email_id":null}', '{"email_id":[1]}', '{"message_id":""}', "{}", "")
    put(
        sink,
        [mail(n, "open", props=props) for n, props in enumerate(unusable)]
        + [mail(0, "sent", campaign_name="summer", props='{"email_id":""}')]
        + [
            mail(0, "sent", campaign_name="x", campaign_id="c1"),
            mail(1, "open", campaign_name="y", campaign_id="c1"),
        ]
        + [
            mail(0, "sent", props='{"email_id":null,"message_id":"m"}'),
            mail(1, "click", props='{"message_id":"m"}'),
        ]
        + [mail(0, "sent", props='{"email_id":7}'), mail(1, "open", props='{"email_id":"7"}')],
    )
    assert table(client, "email_messages", "email_id, sent, opened") == [
        ("7", 1, 1), ("c1", 1, 1), ("m", 1, 1), ("spring", 0, 1), ("summer", 1, 0)
    ]  # fmt: skip


def test_who_saw_two_calls_to_action_of_a_goal_was_asked_once(client: Client, sink: Sink) -> None:
    def seen(cta: str) -> Row:
        return {"event": "cta_view", "props": f'{{"cta":"{cta}","goal":"sign_up"}}'}

    banner = {"event": "view_promotion", "props": '{"promotion_id":"p","goal":"sign_up"}'}
    nameless = {"event": "view_promotion", "props": '{"goal":"sign_up"}'}
    put(
        sink,
        [
            hit(0, "ann", **seen("hero")), hit(2, "ann", **seen("footer")), hit(1, "ann", event="sign_up", goal=True),
            hit(0, "bob", **seen("hero")), hit(0, "cyd", **banner), hit(0, "dan", **nameless),
        ],
    )  # fmt: skip
    assert table(client, "calls_to_action", "cta, persons, persons_converted") == [
        ("footer", 1, 0), ("hero", 2, 1), ("p", 1, 0)
    ]  # fmt: skip
    assert table(client, "goal_rates", "goal, persons_asked, goal_ratio") == [("sign_up", 3, 1 / 3)]


def test_calls_to_action(client: Client, sink: Sink) -> None:
    seen = {"event": "cta_view", "props": '{"cta":"hero","goal":"sign_up"}'}
    banner = {"event": "view_promotion", "props": '{"promotion_name":"sale"}'}
    put(
        sink,
        [
            hit(0, "ann", **seen), hit(1, "ann", **seen | {"event": "cta_click"}),
            hit(2, "ann", event="sign_up", goal=True),
            hit(0, "bob", event="sign_up", goal=True), hit(1, "bob", **seen),  # saw it when it was done
            hit(0, "cyd", **seen), hit(0, "cyd", event="purchase", goal=True),  # another goal
            hit(0, "cyd", **banner),
        ],
        [visit(0, who) for who in ("ann", "bob", "cyd", "dan")],
    )  # fmt: skip
    assert table(client, "calls_to_action") == [
        ("shop", "hero", "sign_up", 3, 1, 1, 1 / 3, 1 / 3), ("shop", "sale", "", 1, 0, 1, 0.0, 1.0),
    ]  # fmt: skip
    columns = "goal, conversions, persons, sessions, site_sessions, session_ratio, persons_asked, goal_ratio"
    assert table(client, "goal_rates", columns) == [
        ("purchase", 1, 1, 0, 4, 0.0, 0, None), ("sign_up", 2, 2, 0, 4, 0.0, 3, 1 / 3),
    ]  # fmt: skip


def test_goals_by_page_are_called_by_their_globs_and_one_never_reached_is_shown(
    client: Client, sink: Sink
) -> None:
    set_goal_pages(client, {"": ["/booked*", "/thanks"], "shop": ["/booked/vip*"], "other": ["/*"]})

    def asked(who: str, goal: str) -> Row:
        return hit(0, who, event="cta_view", props=f'{{"cta":"hero","goal":"{goal}"}}')

    put(
        sink,
        [
            asked("ann", "/booked*"), asked("bob", "/booked*"), asked("cyd", "/booked*"), asked("cyd", "subscribe"),
            hit(1, "ann", url="https://a.example/booked?x=1", goal=True, session_id="ann-0"),
            hit(2, "ann", url="/booked", goal=True, session_id="ann-0"),
            hit(1, "bob", url="https://a.example/booked/vip/7", goal=True),
            hit(1, "cyd", url="https://a.example/thanks/7", goal=True),  # of a glob that is no more
            hit(1, "cyd", event="purchase", url="https://a.example/booked", goal=True),
        ],
        [visit(0, "ann"), visit(0, "bob")],
    )  # fmt: skip
    columns = "goal, conversions, persons, sessions, site_sessions, session_ratio, persons_asked, goal_ratio"
    assert table(client, "goal_rates", columns) == [
        ("/booked*", 2, 1, 1, 2, 0.5, 3, 1 / 3), ("/booked/vip*", 1, 1, 0, 2, 0.0, 0, None),
        ("page_view", 1, 1, 0, 2, 0.0, 0, None), ("purchase", 1, 1, 0, 2, 0.0, 0, None),
        ("subscribe", 0, 0, 0, 2, 0.0, 1, 0.0),
    ]  # fmt: skip
    assert table(client, "calls_to_action", "goal, persons, persons_converted") == [
        ("/booked*", 3, 1), ("subscribe", 1, 0)
    ]  # fmt: skip


def cost(at: int, channel: str, amount: float, currency: str = "EUR") -> Row:
    micros = round(amount * 1_000_000)
    return hit(
        at,
        "ads",
        event="ad_cost",
        outcome="background",
        channel=channel,
        revenue_micros=micros,
        currency=currency,
    )


def test_cost_per_acquisition_by_what_each_model_credits(client: Client, sink: Sink) -> None:
    put(
        sink,
        [
            cost(0, "display", 30),
            cost(DAY, "display", 10),
            cost(0, "sms", 7),
            order(DAY, "ann", 100, session_id="ann-1"),
        ],
        [visit(0, "ann", "display"), visit(1, "ann", "email")],
    )
    columns = "model, channel, cost, conversions, cost_per_acquisition, return_on_ad_spend"
    found = table(client, "acquisition_costs", columns, "model IN ('first_touch', 'last_touch', 'linear')")
    assert found == [
        ("first_touch", "display", Decimal(40), 1.0, 40.0, 2.5), ("first_touch", "sms", Decimal(7), 0.0, None, 0.0),
        ("last_touch", "display", Decimal(40), 0.0, None, 0.0), ("last_touch", "sms", Decimal(7), 0.0, None, 0.0),
        ("linear", "display", Decimal(40), 0.5, 80.0, 1.25), ("linear", "sms", Decimal(7), 0.0, None, 0.0),
    ]  # fmt: skip


def test_channels_side_by_side(client: Client, sink: Sink) -> None:
    put(
        sink,
        [cost(0, "sms", 8), cost(9, "video", 5)],
        [
            visit(0, "ann", "sms", bounced=True), visit(DAY, "ann", "email", page_views=4),
            visit(2, "bob", "sms", page_views=0, converted=True, conversions=2, revenue_micros=9_000_000),
        ],
    )  # fmt: skip
    columns = (
        "channel, sessions, persons, new_persons, mean_duration_seconds, pages_per_session, bounce_ratio, "
        "conversion_ratio, conversions, revenue, cost, cost_per_acquisition"
    )
    assert table(client, "channel_engagement", columns) == [
        ("email", 1, 1, 0, 60, 4, 0, 0, 0, Decimal(0), Decimal(0), None),
        ("sms", 2, 2, 2, 60, 0.5, 1, 0.5, 2, Decimal(9), Decimal(8), 4.0),
        ("video", 0, 0, 0, None, None, None, None, 0, Decimal(0), Decimal(5), None),
    ]
    days = table(client, "channel_days", "toString(day), channel, sessions, cost")
    assert days == [
        ("2026-01-01", "sms", 2, Decimal(8)), ("2026-01-01", "video", 0, Decimal(5)),
        ("2026-01-02", "email", 1, Decimal(0)),
    ]  # fmt: skip


def test_revenue_of_channels_adds_up_in_every_model(client: Client, sink: Sink) -> None:
    visits = [visit(at, "ann", channel) for at, channel in enumerate(("display", "email", "sms"))]
    put(sink, [order(DAY, "ann", 10.000001, session_id="ann-2")], visits)
    found = client.query("SELECT model, sum(conversions), sum(revenue) FROM channel_revenue GROUP BY model")
    assert len(found) == 6
    assert {row[2] for row in found} == {Decimal("10.000001")}
    assert [row[1] for row in found] == pytest.approx([1.0] * 6)
