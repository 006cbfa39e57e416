"""Goals: by event, and by the path of a viewed page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.goals import DEFAULT_GOALS, Goals


@pytest.mark.parametrize("event", ["purchase", "sign_up", "subscribe", "generate_lead"])
def test_default_goals(event: str) -> None:
    assert Goals().matches(event, "")


@pytest.mark.parametrize("event", ["page_view", "add_to_cart", "Purchase", "purchase ", ""])
def test_no_goal(event: str) -> None:
    assert not Goals().matches(event, "https://shop.example/purchase")


def test_own_events_replace_the_defaults() -> None:
    goals = Goals(events=["booked_call"])
    assert goals.matches("booked_call", "")
    assert not goals.matches("purchase", "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/thanks", True),
        ("https://shop.example/thanks/42?from=mail#top", True),
        ("HTTPS://shop.example:8443/thanks", True),
        ("/thanks", True),
        ("https://shop.example/en/thanks", False),
        ("https://shop.example/Thanks", False),
        ("https://shop.example/?next=/thanks", False),
        ("https://shop.example/#/thanks", False),
        ("https://thanks.example/", False),
        ("https://shop.example", False),
        ("", False),
    ],
)
def test_url_goal_is_a_glob_on_the_whole_path(url: str, expected: bool) -> None:
    goals = Goals(urls=["/thanks*", "/order/*/done"])
    assert goals.matches("page_view", url) is expected
    assert goals.matches("screen_view", url) is expected
    assert not goals.matches("click", url)


def test_second_glob_and_root() -> None:
    goals = Goals(urls=["/thanks*", "/order/*/done", "/"])
    assert goals.matches("page_view", "https://shop.example/order/7/done")
    assert not goals.matches("page_view", "https://shop.example/order/7/open")
    assert goals.matches("page_view", "https://shop.example")
    assert not goals.matches("page_view", "")


@given(event=st.sampled_from(["page_view", "purchase", "click"]), url=st.text())
def test_any_text_is_judged(event: str, url: str) -> None:
    assert Goals(urls=["*"]).matches(event, url) is (
        event in DEFAULT_GOALS or (event == "page_view" and url != "")
    )
