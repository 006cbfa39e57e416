"""Who may look: by loopback without a token, by token otherwise; over real HTTP too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from bench.running import Running
from pipeline.live.guard import COOKIE, Guard, Verdict, is_loopback
from tests.collector.chromium import Page
from tests.system.kit import hit, now_ms, post

from .conftest import text, until

TOKEN = "0123456789abcdef"
DATA = ("/live/about", "/live/events", "/live/persons?kind=risk", "/live/person?site=shop&person=v")


@pytest.mark.parametrize(
    ("listen", "host", "peer", "verdict"),
    [
        ("127.0.0.1", "127.0.0.1:8088", "127.0.0.1", Verdict.OPEN),
        ("127.0.0.1", "localhost:8088", "127.0.0.1", Verdict.OPEN),
        ("[::1]", "[::1]:8088", "::1", Verdict.OPEN),
        ("127.0.0.1", "evil.example:8088", "127.0.0.1", Verdict.CLOSED),  # a name that points here
        ("127.0.0.1", "", "127.0.0.1", Verdict.CLOSED),
        ("127.0.0.1", "[", "127.0.0.1", Verdict.CLOSED),
        ("0.0.0.0", "127.0.0.1:8088", "127.0.0.1", Verdict.CLOSED),
        ("0.0.0.0", "192.0.2.7:8088", "192.0.2.9", Verdict.CLOSED),
        ("127.0.0.1", "127.0.0.1:8088", "192.0.2.9", Verdict.CLOSED),
    ],
)
def test_without_a_token_only_this_machine(listen: str, host: str, peer: str, verdict: Verdict) -> None:
    assert Guard("", listen).judge({"Host": host}, {}, peer) is verdict


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_without_a_token_nothing_stands_in_between(header: str) -> None:
    headers = {"Host": "127.0.0.1:8088", header: "192.0.2.9"}
    assert Guard("", "127.0.0.1").judge(headers, {}, "127.0.0.1") is Verdict.CLOSED


def test_with_a_token_everybody_needs_it() -> None:
    guard = Guard(TOKEN, "0.0.0.0")

    def judge(cookie: str = "", authorization: str = "") -> Verdict:
        return guard.judge({"Authorization": authorization}, {COOKIE: cookie}, "192.0.2.9")

    assert judge(guard.cookie) is judge("", f"Bearer {TOKEN}") is judge("", f"bearer {TOKEN}") is Verdict.OPEN
    assert (
        judge() is judge(TOKEN) is judge("é") is judge("\udce9") is judge("", TOKEN) is Verdict.TOKEN_WANTED
    )
    assert judge("", f"Bearer {TOKEN}x") is judge("", "Bearer ") is Verdict.TOKEN_WANTED
    assert judge(Guard(TOKEN + "x", "0.0.0.0").cookie) is Verdict.TOKEN_WANTED
    assert Guard(TOKEN, "127.0.0.1").judge({"Host": "localhost"}, {}, "127.0.0.1") is Verdict.TOKEN_WANTED
    assert TOKEN not in guard.cookie
    assert not Guard("", "127.0.0.1").is_token("")


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "0.0.0.0", "::", "10.0.0.1", "nonsense"])
def test_what_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


async def test_over_http_without_a_token(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        async with ClientSession() as session:
            for path in ("/", "/live/about", "/live/persons?kind=risk"):
                async with session.get(running.url + path) as answer:
                    assert answer.status == 200
                    policy = answer.headers["Content-Security-Policy"]
                    assert "default-src 'none'" in policy
                    assert "unsafe" not in policy
                    assert "Access-Control-Allow-Origin" not in answer.headers
            for path in DATA:
                async with session.get(running.url + path, headers={"Host": "evil.example"}) as answer:
                    assert (answer.status, await answer.json()) == (403, {"error": "closed"})
            async with session.get(running.url, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
                assert "MASIR_PAGE_TOKEN" in await answer.text()
            for path in ("/live/persons?kind=all", "/live/persons?kind=risk&site=" + "x" * 201):
                async with session.get(running.url + path) as answer:
                    assert answer.status == 400
            async with session.get(running.url + "/live/static/page.css") as answer:
                tag = answer.headers["ETag"]
            async with session.get(
                running.url + "/live/static/page.css", headers={"If-None-Match": tag}
            ) as answer:
                assert answer.status == 304
            async with session.get(running.url + "/live/static/..%2fserver.py") as answer:
                assert answer.status == 404
            async with session.get(running.url + "/live/events") as looking:
                await looking.content.readline()
                assert running.stop() == 0, "who looks does not hold up the end"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("guarded") / "data", page_token=TOKEN) as running:
        yield running


async def test_over_http_with_a_token(guarded: Running) -> None:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        for path in DATA:
            async with session.get(guarded.url + path) as answer:
                assert (answer.status, await answer.json()) == (401, {"error": "token_wanted"})
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with session.get(guarded.url + "/live/about", headers=bearer) as answer:
            assert answer.status == 200
        form = {"token": TOKEN}
        async with session.post(guarded.url + "/live/login", data=form, allow_redirects=False) as answer:
            said = answer.headers["Set-Cookie"]
            assert "HttpOnly" in said
            assert "SameSite=Strict" in said
            assert TOKEN not in said
        async with session.get(guarded.url + "/live/about") as answer:
            assert answer.status == 200
    assert TOKEN not in guarded.said


async def test_a_person_enters_with_the_token(guarded: Running, page: Page) -> None:
    post(guarded, hit("v", now_ms()))
    await page.open(guarded.url)
    assert await page.run("document.querySelectorAll('#figure-active').length") == 0
    for given, state in (("wrong", "block"), (TOKEN, None)):
        page.loaded.clear()
        await page.run(
            f"document.querySelector('[name=token]').value = {given!r}; document.querySelector('form').submit()"
        )
        await page.loaded.wait()
        if state:
            assert await page.run("getComputedStyle(document.getElementById('wrong')).display") == state
    await until(lambda: text(page, "[data-figure=active]"), "1", "the page")
