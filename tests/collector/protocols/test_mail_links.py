"""Open pixels and click links of our own: nobody but the site says where a link leads."""

import hmac
from hashlib import sha256

import pytest
from aiohttp import ClientSession

from ..conftest import UNAVAILABLE, Start
from .kit import Judged, judged
from .signed_kit import SECRET, Shop, judged_for

TARGET = "url=https%3A%2F%2Fpartner.example%2Fa%3Fb%3D1"
OWN = "url=https%3A%2F%2Fshop.example%2Fa"
WHO = "user_id=u1&email_id=spring-1&campaign=spring"


def signed(target: str, secret: bytes = SECRET) -> str:
    return f"{target}&sig={hmac.new(secret, target.encode(), sha256).hexdigest()}"


def get(target: str, method: str = "GET", **headers: str) -> Judged:
    return judged_for(Shop(domains=("shop.example",)), method, target, **headers)


def test_open() -> None:
    result = get(signed(f"/mail/shop/open.gif?{WHO}&variant=b"))
    assert (result.answer.status, result.answer.content_type) == (200, "image/gif")
    assert "no-store" in result.answer.headers["Cache-Control"]
    hit = result.hit
    assert (hit["site"], hit["event"], hit["user_id"], hit["channel"]) == (
        "shop",
        "email_open",
        "u1",
        "email",
    )
    assert hit["campaign"] == {"medium": "email", "name": "spring"}
    assert hit["props"] == {"email_id": "spring-1", "variant": "b"}
    assert result.parsed.events[0].is_signed


def test_open_that_is_not_signed_is_an_image_and_the_gates_business() -> None:
    result = get(f"/mail/shop/open.gif?{WHO}")
    assert result.answer.content_type == "image/gif"
    assert not result.parsed.events[0].is_signed
    assert judged("GET", "/mail/shop/open.gif").answer.content_type == "image/gif"


@pytest.mark.parametrize("agent", ["Mozilla/5.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"])
def test_open_by_an_image_proxy_is_marked_and_is_no_bot(agent: str) -> None:
    hit = get(signed(f"/mail/shop/open.gif?{WHO}"), User_Agent=agent).hit
    assert (hit["props"]["machine"], hit["props"]["client"], hit["user_agent"]) == (
        True,
        agent,
        "Mozilla/5.0",
    )


def test_signed_link_leads_anywhere() -> None:
    result = get(signed(f"/mail/shop/click?{WHO}&{TARGET}"))
    assert (result.answer.status, result.answer.headers["Location"]) == (302, "https://partner.example/a?b=1")
    hit = result.hit
    assert (hit["event"], hit["url"]) == ("email_click", "https://partner.example/a?b=1")
    assert result.parsed.events[0].is_signed


def test_link_of_any_letters_is_ascii_in_the_header() -> None:
    written = "https%3A%2F%2Fpartner.example%2F%D8%B4%2525%3Fq%3D%C3%A9%26b%3D%2541%23top"
    result = get(signed(f"/mail/shop/click?{WHO}&url={written}"))
    location = result.answer.headers["Location"]
    assert location == "https://partner.example/%D8%B4%25?q=%C3%A9&b=%41#top"
    assert result.hit["url"] == "https://partner.example/ش%25?q=é&b=%41#top"


@pytest.mark.parametrize(
    "url", ["https://shop.example/a", "https://www.shop.example", "http://shop.example:8080/"]
)
def test_link_to_the_sites_own_domain_needs_no_signature(url: str) -> None:
    result = get(f"/mail/shop/click?{WHO}&url={url}")
    assert (result.answer.status, result.answer.headers["Location"]) == (302, url)
    assert not result.parsed.events[0].is_signed


@pytest.mark.parametrize(
    "target",
    [
        f"/mail/shop/click?{WHO}&{TARGET}",
        signed(f"/mail/shop/click?{WHO}&{TARGET}", b"guess"),
        signed(f"/mail/shop/click?{WHO}&{TARGET}").replace("partner", "evil"),
        signed(f"/mail/shop/click?{WHO}") + f"&{TARGET}",
        signed(f"/mail/shop/click?{WHO}&{TARGET}") + "&sig=x",
        signed(f"/mail/other/click?{WHO}&{TARGET}"),
        signed(f"/mail/shop/open.gif?{WHO}&{TARGET}").replace("open.gif", "click"),
        f"/mail/shop/click?url=https://shop.example.evil.example/&{WHO}",
        f"/mail/shop/click?url=https://evilshop.example/&{WHO}",
        f"/mail/shop/click?url=https://shop.example@evil.example/&{WHO}",
        f"/mail/shop/click?url=https://evil.example%5C@shop.example/&{WHO}",
        f"/mail/shop/click?url=https://anyone@shop.example/&{WHO}",
        f"/mail/shop/click?url=//shop.example/&{WHO}",
        signed(f"/mail/shop/click?url=javascript:alert(1)&{WHO}"),
        signed(f"/mail/shop/click?url=https://shop.example/%0d%0aX:%20y&{WHO}"),
        f"/mail/shop/click?{WHO}",
    ],
)
def test_no_open_redirect(target: str) -> None:
    result = get(target)
    assert (result.answer.status, result.published) == (400, [])
    assert "Location" not in result.answer.headers


def test_what_tools_add_to_a_signed_link_is_not_read() -> None:
    added = "&utm_source=crm&fbclid=x&url=https%3A%2F%2Fevil.example%2F&visitor_id=v&plan=free"
    result = get(signed(f"/mail/shop/click?{WHO}&{TARGET}") + added)
    assert (result.answer.status, result.answer.headers["Location"]) == (302, "https://partner.example/a?b=1")
    assert (result.hit["user_id"], "visitor_id" in result.hit) == ("u1", False)
    assert result.hit["props"] == {"email_id": "spring-1"}


def test_scanner_that_only_looks_is_no_click() -> None:
    result = get(signed(f"/mail/shop/click?{WHO}&{TARGET}"), "HEAD")
    assert (result.answer.status, result.published) == (302, [])


async def test_reader_goes_on_while_the_topic_is_away(start: Start, client: ClientSession) -> None:
    server = await start()
    server.topic.down = UNAVAILABLE
    async with client.get(f"{server.url}/mail/shop/open.gif?{WHO}") as answer:
        assert (answer.status, answer.content_type) == (200, "image/gif")
    assert server.collector.counts.turned_away == 1
    assert server.topic.records == []
