"""Plausible: what its scripts send, field by field, and what they are answered."""

from typing import Any

import pytest

from .kit import CHROME, NOW_MS, Judged, judged

PAGE = "https://www.shop.example/a?utm_source=news"


def send(**body: Any) -> Judged:
    return judged("POST", "/api/event", {"n": "pageview", "u": PAGE, "d": "shop.example", **body})


def test_page_view_field_by_field() -> None:
    found = send(r="https://search.example/", p={"author": "Ann"})
    assert found.hit == {
        "site": "shop.example",
        "event": "page_view",
        "visitor_id": found.hit["visitor_id"],
        "url": PAGE,
        "referrer": "https://search.example/",
        "props": {"author": "Ann"},
        "user_agent": CHROME,
        "received_time": NOW_MS,
    }
    assert (found.answer.status, found.answer.body) == (202, b"ok")


def test_event_that_is_not_interactive_says_so() -> None:
    assert send(n="Scroll", i=False).hit["props"] == {"interactive": False}
    assert send(n="Scroll", interactive=False, p={"a": 1}).hit["props"] == {"a": 1, "interactive": False}
    assert "props" not in send(n="Scroll", i=True).hit


def test_long_names_and_any_prefix() -> None:
    body = {
        "name": "Signup",
        "url": PAGE,
        "domain": "shop.example",
        "referrer": "https://a.example/",
        "props": {"p": 1},
    }
    hit = judged("POST", "/proxy/api/event", body).hit
    assert (hit["event"], hit["url"], hit["referrer"], hit["props"]) == (
        "sign_up",
        PAGE,
        "https://a.example/",
        {"p": 1},
    )


def test_revenue_of_a_goal() -> None:
    for revenue in ({"amount": "49.90", "currency": "EUR"}, '{"amount":49.9,"currency":"EUR"}'):
        hit = send(n="Purchase", **{"$": revenue}, p={"order_id": "o1", "plan": "pro"}).hit
        assert (hit["event"], hit["order_id"], hit["revenue"], hit["currency"]) == (
            "purchase",
            "o1",
            49.9,
            "EUR",
        )
        assert hit["props"] == {"plan": "pro"}
    assert "revenue" not in send(n="Click", **{"$": {}}).hit


def test_engagement_of_the_page_that_is_left() -> None:
    hit = send(n="engagement", e=4200, sd=70).hit
    assert (hit["event"], hit["props"]) == (
        "user_engagement", {"engagement_time_msec": 4200, "percent_scrolled": 70},
    )  # fmt: skip
    assert "percent_scrolled" not in send(n="engagement", e=1, sd=255).hit["props"]


@pytest.mark.parametrize(
    ("name", "event", "props"),
    [
        ("Outbound Link: Click", "click", {"outbound": True, "link_url": "https://e.example/"}),
        ("File Download", "file_download", {"url": "https://e.example/"}),
        ("Form: Submission", "form_submit", {"url": "https://e.example/"}),
        ("Plan Chosen", "Plan Chosen", {"url": "https://e.example/"}),
    ],
)
def test_names(name: str, event: str, props: dict[str, Any]) -> None:
    hit = send(n=name, p={"url": "https://e.example/", "nested": {"a": 1}}).hit
    assert (hit["event"], hit["props"]) == (event, props)


def test_props_as_text() -> None:
    assert send(p='{"a":"b"}').hit["props"] == {"a": "b"}
    assert send(m={"a": "b"}).hit["props"] == {"a": "b"}


def test_one_event_for_each_domain_and_visitors_are_not_shared() -> None:
    one, two = send(d="a.example, b.example").hits
    assert (one["site"], two["site"]) == ("a.example", "b.example")
    assert one["visitor_id"] != two["visitor_id"]


def test_domain_of_the_url_when_none_is_given() -> None:
    assert send(d=None).hit["site"] == "shop.example"


def test_visitor_is_address_and_agent_for_a_day() -> None:
    def visitor(**headers: str) -> Any:
        body = {"n": "pageview", "u": PAGE, "d": "shop.example"}
        return judged("POST", "/api/event", body, **headers).hit["visitor_id"]

    assert visitor() == visitor()
    assert len({visitor(), visitor(User_Agent="x"), visitor(X_Forwarded_For="198.51.100.9, 10.0.0.1")}) == 3
    by_port = {visitor(X_Forwarded_For=f"198.51.100.9:{port}") for port in (5001, 5002)}
    assert by_port == {visitor(X_Forwarded_For="198.51.100.9")}, "some proxies write the connection's port"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"", b'{"u":"https://shop.example/"}', b'{"n":"pageview","d":"no site"}']
)
def test_what_is_none_is_400(body: bytes) -> None:
    found = judged("POST", "/api/event", body)
    assert (found.answer.status, found.hits) == (400, [])
    assert len(found.refusals) == (1 if body else 0)
