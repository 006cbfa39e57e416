"""Signed webhooks and links at a real collector with a registry: settings, registry, gate, topic."""

import hmac
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from pipeline.collector.from_settings import parts_of
from pipeline.collector.sites.in_force import watch_sites
from pipeline.collector.tokens import Tokens
from pipeline.settings import load

from ..conftest import NOW_MS, Server, Start
from ..mmdb import write_mmdb

SECRET = b"a secret of the shop"
REGISTRY = """
[shop]
origins = ["https://shop.example"]
own_domains = ["shop.example"]
secrets.mailgun = "env:MAILGUN"
secrets.mail = "env:LINKS"

[blog]
"""
Guarded = Callable[[], Awaitable[Server]]


@pytest.fixture
def guarded(start: Start, tmp_path: Path) -> Guarded:
    """A collector of both sites, which knows where 127.0.0.0/8 is."""

    async def begin() -> Server:
        (tmp_path / "sites.toml").write_text(REGISTRY)
        countries = tmp_path / "countries.mmdb"
        write_mmdb(countries, {"127.0.0.0/8": "DE", "198.51.100.0/24": "IR"})
        settings = load({
            "MASIR_DATA": str(tmp_path),
            "MASIR_SITES": str(tmp_path / "sites.toml"),
            "MASIR_COUNTRY_DATABASE": str(countries),
        })  # fmt: skip
        watched = watch_sites(settings, {"MAILGUN": SECRET.decode(), "LINKS": SECRET.decode()})
        parts = parts_of(settings, watched)
        return await start(parts.limits, entrance=parts.entrance, salts=parts.salts)

    return begin


def webhook(**event: object) -> bytes:
    signed_at = str(NOW_MS // 1_000)
    signature = hmac.new(SECRET, f"{signed_at}token".encode(), sha256).hexdigest()
    signed = {"timestamp": signed_at, "token": "token", "signature": signature}
    told = {"event": "opened", "id": "1", "recipient": "a@b.example", **event}
    return msgspec.json.encode({"signature": signed, "event-data": told})


async def test_webhook_comes_in_without_an_origin_and_may_tell_of_the_past(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded()
    long_ago = NOW_MS // 1_000 - 30 * 86_400
    async with client.post(f"{server.url}/webhooks/mailgun/shop", data=webhook(timestamp=long_ago)) as answer:
        assert answer.status == 200
    (hit,) = server.topic.hits
    assert (hit["site"], hit["event"], hit["time"]) == ("shop", "email_open", long_ago * 1_000)
    assert "country" not in hit  # the provider's address says nothing of the reader


async def test_token_of_mailgun_signs_one_event(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded()
    address = f"{server.url}/webhooks/mailgun/shop"
    for told, status in (
        ({}, 200),
        ({}, 200),
        ({"recipient": "b@b.example"}, 401),
        ({"event": "failed"}, 401),
    ):
        async with client.post(address, data=webhook(**told)) as answer:
            assert answer.status == status
    assert {hit["user_id"] for hit in server.topic.hits} == {"a@b.example"}
    assert len({hit["hit_id"] for hit in server.topic.hits}) == 1


def test_tokens_are_remembered_up_to_a_bound() -> None:
    tokens = Tokens(most=2)
    assert tokens.is_good("shop", "1", "a")
    assert not tokens.is_good("shop", "1", "b")
    assert tokens.is_good("blog", "1", "b"), "another site's tokens are its own"
    assert tokens.is_good("shop", "2", "c")
    assert tokens.is_good("shop", "1", "b"), "the oldest is forgotten"


async def test_address_in_a_webhook_gives_the_country_and_is_cut(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded()
    async with client.post(f"{server.url}/webhooks/mailgun/shop", data=webhook(ip="198.51.100.9")) as answer:
        assert answer.status == 200
    (hit,) = server.topic.hits
    assert (hit["country"], hit["ip"]) == ("IR", "198.51.100.0")


@pytest.mark.parametrize("site", ["blog", "nobody"])
async def test_secret_of_one_site_opens_no_other(guarded: Guarded, client: ClientSession, site: str) -> None:
    server = await guarded()
    async with client.post(f"{server.url}/webhooks/mailgun/{site}", data=webhook()) as answer:
        assert answer.status == 401
    assert server.topic.records == []
    assert server.collector.counts.turned_away == 1


async def test_signed_open_is_the_readers_and_an_unsigned_one_is_nobodys(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded()
    target = "/mail/shop/open.gif?user_id=u1&email_id=m1"
    signature = hmac.new(SECRET, target.encode(), sha256).hexdigest()
    for link in (target, f"{target}&sig={signature}"):
        async with client.get(server.url + link) as answer:
            assert (answer.status, answer.content_type) == (200, "image/gif")
    (hit,) = server.topic.hits
    assert (hit["user_id"], hit["country"], hit["ip"]) == ("u1", "DE", "127.0.0.0")
    assert server.collector.counts.barred == 1  # no origin, no signature


async def test_survey_is_answered_from_the_page_that_its_link_shows(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded()
    form = f"{server.url}/survey/shop"
    async with client.get(f"{form}?metric=nps&score=9&user_id=u1") as page:
        assert page.headers["Referrer-Policy"] == "same-origin", "or the browser names no origin"
    for number, sent in enumerate((
        {"Origin": server.url}, {"Origin": "https://collect.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://shop.example"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {},
    )):  # fmt: skip
        answer = {"metric": "nps", "score": "9", "user_id": "u1", "response_id": str(number)}
        async with client.post(form, data=answer, headers=sent) as thanks:
            assert thanks.status == (200 if number < 3 else 400), sent
    assert [hit["score"] for hit in server.topic.hits] == [9, 9, 9]
    assert server.collector.counts.barred == 3


async def test_own_page_is_a_surveys_alone(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded()
    hit = {"site": "shop", "event": "page_view", "visitor_id": "v"}
    async with client.post(f"{server.url}/v1/hits", json=hit, headers={"Origin": server.url}) as answer:
        assert answer.status == 400


async def test_link_to_an_own_domain_leads_on_though_its_click_is_nobodys(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded()
    link = f"{server.url}/mail/shop/click?user_id=u1&url=https://www.shop.example/a"
    async with client.get(link, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "https://www.shop.example/a")
    async with client.get(link.replace("shop.example", "evil.example"), allow_redirects=False) as answer:
        assert answer.status == 400
    assert server.topic.records == []
