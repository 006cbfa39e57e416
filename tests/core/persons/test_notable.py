"""Notable hits: which kind each is, and what counts of it."""

from typing import Any

import msgspec
import pytest

from pipeline.core.persons.notable import SURVEY, Notables, Words, details, is_machine
from schemas.touchpoint import Touch

SHOP = "https://shop.example"


def hit(event: str, *, url: str = "", **fields: Any) -> Words:
    return Words(event, url, **fields)


def props(text: str) -> dict[str, msgspec.Raw]:
    return {"props": msgspec.Raw(text.encode())}


def noted(a_hit: Words, *, goal: bool = False) -> tuple[int, int, str]:
    return details(Notables().kind(a_hit.event, a_hit.url, goal), a_hit, goal=goal)


@pytest.mark.parametrize(
    ("event", "url", "goal", "kind"),
    [
        ("page_view", f"{SHOP}/", False, Touch.NONE),
        ("page_view", f"{SHOP}/account/cancel?step=1", False, Touch.LEAVING),
        ("video_start", f"{SHOP}/account/cancel", False, Touch.NONE),  # not a view
        ("sign_up", "", True, Touch.GOAL),
        ("page_view", f"{SHOP}/account/cancel", True, Touch.LEAVING),  # a goal, and still a page to leave by
        ("purchase", "", False, Touch.ORDER),  # also where a purchase is no goal
        ("survey_response", "", False, SURVEY),
        ("ad_cost", "", False, Touch.COST),
    ],
)
def test_the_kind_follows_from_event_page_and_goal(event: str, url: str, goal: bool, kind: int) -> None:
    assert Notables().kind(event, url, goal) == kind


def test_the_globs_of_the_settings_take_the_place_of_the_usual_ones() -> None:
    notables = Notables(("/bye",))
    assert notables.kind("page_view", f"{SHOP}/bye", False) == Touch.LEAVING
    assert notables.kind("page_view", f"{SHOP}/cancel", False) == Touch.NONE


def test_money_is_in_micros_and_a_refund_has_no_sign() -> None:
    assert noted(hit("purchase", revenue=49.9, order_id="o1")) == (Touch.ORDER, 49_900_000, "o1")
    assert noted(hit("refund", revenue=-5, order_id="o1")) == (Touch.REFUND, 5_000_000, "o1")
    assert noted(hit("ad_cost", revenue=12.5)) == (Touch.COST, 12_500_000, "")
    assert noted(hit("sign_up"), goal=True) == (Touch.GOAL, 0, "")


def test_surveys_by_metric_on_the_common_scale() -> None:
    def answer(metric: str) -> Words:
        return hit("survey_response", score=2, scale=5, **props(metric))

    assert noted(answer('{"metric":"csat"}')) == (Touch.CSAT, 3_250_000, "")
    assert noted(answer('{"metric":"nps"}')) == (Touch.NPS, 4_000_000, "")
    assert noted(answer('{"metric":"mood"}')) == (Touch.NONE, 0, "")
    assert noted(answer('{"metric":"mood"}'), goal=True) == (Touch.GOAL, 0, "")
    assert noted(answer('{"metric":"csat"')) == (Touch.NONE, 0, "")


ODD = ("null", "1.0", "true", "[]", "{}")


@pytest.mark.parametrize("odd", ODD)
def test_a_field_of_another_type_says_nothing_and_the_others_what_they_say(odd: str) -> None:
    """As the views read them."""
    answer = hit("survey_response", score=1, **props(f'{{"metric":"csat","ticket_id":{odd}}}'))
    assert noted(answer) == (Touch.CSAT, 1_000_000, "")
    assert noted(hit("survey_response", score=1, **props(f'{{"metric":{odd}}}'))) == (Touch.NONE, 0, "")
    ticket = hit("support_ticket_open", **props(f'{{"ticket_id":"t","metric":{odd},"email_id":{odd}}}'))
    assert noted(ticket) == (Touch.TICKET_OPEN, 0, "t")
    mail = hit("email_open", campaign="may", **props(f'{{"email_id":{odd},"message_id":7}}'))
    assert noted(mail) == (Touch.EMAIL_OPEN, 0, "7")
    assert noted(hit("email_open", campaign="may", **props(f'{{"email_id":{odd}}}'))) == (
        Touch.EMAIL_OPEN,
        0,
        "may",
    )


def test_an_id_of_zero_is_an_id() -> None:
    mail = hit("email_open", campaign="may", **props('{"email_id":0,"message_id":"m1"}'))
    assert noted(mail) == (Touch.EMAIL_OPEN, 0, "0")
    long = "9" * 30
    assert noted(hit("support_ticket_open", **props(f'{{"ticket_id":{long}}}'))) == (
        Touch.TICKET_OPEN,
        0,
        long,
    )


def test_tickets_payments_and_e_mails_are_named() -> None:
    assert noted(hit("support_ticket_open", **props('{"ticket_id":17}'))) == (Touch.TICKET_OPEN, 0, "17")
    payment = hit("payment_failed", **props('{"subscription_id":"s1"}'))
    assert noted(payment) == (Touch.PAYMENT_FAILED, 0, "s1")
    assert noted(hit("email_open", campaign="may")) == (Touch.EMAIL_OPEN, 0, "may")
    named = hit("email_open", campaign="may", **props('{"message_id":"m1"}'))
    assert noted(named) == (Touch.EMAIL_OPEN, 0, "m1")
    assert noted(hit("subscription_cancel")) == (Touch.LEAVING, 0, "subscription_cancel")
    assert noted(hit("page_view", url=f"{SHOP}/cancel?a")) == (Touch.LEAVING, 0, "/cancel")


def test_machines_that_open_e_mails() -> None:
    apple = "Mozilla/5.0"
    assert noted(hit("email_open", user_agent=apple))[0] == Touch.EMAIL_MACHINE_OPEN
    assert noted(hit("email_click", user_agent=apple))[0] == Touch.EMAIL_CLICK
    assert noted(hit("email_open", **props('{"machine":true}')))[0] == Touch.EMAIL_MACHINE_OPEN
    assert noted(hit("email_click", **props('{"machine":true}')))[0] == Touch.EMAIL_CLICK
    assert noted(hit("email_open", **props('{"machine":1}')))[0] == Touch.EMAIL_MACHINE_OPEN, (
        "as the views read it"
    )
    assert noted(hit("email_open", **props('{"machine":0}')))[0] == Touch.EMAIL_OPEN
    assert noted(hit("email_open", **props('{"machine":"yes","email_id":7}'))) == (Touch.EMAIL_OPEN, 0, "7")
    assert is_machine("Mozilla/5.0")
    assert not is_machine("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Thunderbird/128.0")
    assert not is_machine("")
