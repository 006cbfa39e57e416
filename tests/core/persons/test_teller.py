"""What the persons are told of hits: e-mails that machines open, and what names an e-mail."""

import json
from typing import Any

from session_kit import HOUR, NOON, Follower, rules

from schemas.touchpoint import HitColumns, LinkColumns, Touch, Touchpoints

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def raw(**fields: Any) -> bytes:
    known = {"site": "shop", "event": "email_open", "visitor_id": "ann", "time": NOON}
    return json.dumps(known | fields).encode()


def told(*hits: bytes) -> Touchpoints:
    """In one unit of work."""
    output = Follower(rules()).feed(hits)
    ((_, message),) = output.touched.by_partition("", output.watermark, 1, to_all=True)
    return message


def kinds(*hits: bytes) -> list[int]:
    return told(*hits).hits.kind


def test_what_opens_an_email_is_told_apart_by_its_user_agent() -> None:
    """Proxies that are on the list of bots, too: their hits are in no session, and e-mails they open are told."""
    agents = (
        GMAIL,
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        APPLE,
        READER,
    )
    opens = [raw(user_agent=agent, props={"email_id": "m"}) for agent in agents]
    assert kinds(*opens) == [Touch.EMAIL_MACHINE_OPEN] * 3 + [Touch.EMAIL_OPEN]
    assert told(*opens).hits.text == ["m"] * 4
    assert kinds(raw()) == [Touch.EMAIL_OPEN]
    assert kinds(raw(props={"machine": True})) == [Touch.EMAIL_MACHINE_OPEN]


def test_of_bots_nothing_else_is_told() -> None:
    events = ("email_click", "email_sent", "purchase", "add_to_cart", "subscription_cancel")
    message = told(*(raw(event=event, user_agent=GOOGLEBOT, user_id="u") for event in events))
    assert (message.hits, message.links) == (HitColumns(), LinkColumns())


def test_a_machine_that_opens_is_no_conversion_and_no_link() -> None:
    of_goal = rules()._replace(goals=rules().goals.__class__(("email_open",)))
    output = Follower(of_goal).feed([raw(user_agent=GMAIL, user_id="u"), raw(user_agent=READER, user_id="u")])
    ((_, message),) = output.touched.by_partition("", output.watermark, 1, to_all=True)
    assert message.hits.goal == [False, True]
    assert message.hits.key == ["shop\x1fu"] * 2
    assert message.links.user_id == ["u"], "the reader's"


def test_only_what_is_on_time_is_told_to_be_in_a_session() -> None:
    """So that credit of a late order, or of a background goal, waits for no session."""
    late, on_time = raw(event="purchase"), raw(event="purchase", time=NOON + 2 * HOUR)
    refund = raw(event="refund", time=NOON + 2 * HOUR)
    output = Follower(rules(HOUR, out_of_orderness_ms=0)).feed(
        [on_time, late, refund], received=NOON + 3 * HOUR
    )
    ((_, message),) = output.touched.by_partition("", output.watermark, 1, to_all=True)
    assert message.hits.kind == [Touch.ORDER, Touch.ORDER, Touch.REFUND]
    assert message.hits.in_session == [True, False, False]


def test_an_email_without_an_id_is_named_by_its_campaign_wherever_it_stands() -> None:
    """As the view `email_messages` names it: the campaign's id, else its name, in the hit or in its url."""
    url = "https://shop.example/?utm_campaign=spring"
    assert told(
        raw(campaign={"name": "spring"}),
        raw(url=url),
        raw(url=f"{url}&utm_id=c1"),
        raw(url=url, campaign={"name": "summer"}),
        raw(url=url, props={"email_id": "", "message_id": "m"}),
        raw(url=url, props={"email_id": None}),
    ).hits.text == ["spring", "spring", "c1", "summer", "m", "spring"]
