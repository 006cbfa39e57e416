"""Access logs -> page views: real lines of nginx and Apache, escapes, and what is left out."""

import json
from collections import Counter
from typing import Any

import pytest

from pipeline.core.decode import Flaw, decode
from pipeline.sources import SourceError
from pipeline.sources.access_log import read_access_log

from .conftest import Reader

TIME = "17/May/2015:10:05:03 +0000"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:25.0) Gecko/20100101 Firefox/25.0"
LINE = (
    f'83.149.9.216 - - [{TIME}] "GET /blog/tea?utm_source=x HTTP/1.1" 200 203023 '
    f'"http://a.example/" "{AGENT}"'
)


def hits(*lines: str, salt: str = "") -> tuple[list[bytes], Counter[str]]:
    skipped: Counter[str] = Counter()
    raw = (line.encode() for line in lines)
    return list(read_access_log(raw, {"site": "www.example.com"}, salt, skipped)), skipped


def one(line: str) -> dict[str, Any]:
    [raw], skipped = hits(line)
    assert not skipped
    return dict(json.loads(raw))


def test_combined() -> None:
    hit = one(LINE)
    visitor = hit.pop("visitor_id")
    assert len(visitor) == 32
    assert hit == {
        "site": "www.example.com",
        "event": "page_view",
        "time": 1_431_857_103_000,
        "url": "https://www.example.com/blog/tea?utm_source=x",
        "referrer": "http://a.example/",
        "user_agent": AGENT,
    }


def test_common_and_missing_values() -> None:
    hit = one(f'::1 - - [{TIME}] "GET / HTTP/1.0" 304 -')
    assert set(hit) == {"site", "event", "visitor_id", "time", "url"}
    assert set(one(f'::1 - - [{TIME}] "GET / HTTP/1.0" 200 5 "-" "-"')) == set(hit)


def test_virtual_host_and_user() -> None:
    hit = one(f'shop.example:443 10.0.0.1 - ann lee [{TIME}] "GET /a HTTP/2.0" 200 1 "-" "x"')
    assert hit["url"] == "https://shop.example/a"
    assert hit["user_id"] == "ann lee"


@pytest.mark.parametrize(
    ("logged", "text"),
    [
        (r"say \x22hi\x22 \x5C", 'say "hi" \\'),
        (r"say \"hi\" \\", 'say "hi" \\'),
        (r"\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85", "سلام"),
        (r"\xd8\xb3", "س"),
        (r"a\tb", "a\tb"),
        (r"\xff", "\ufffd"),
    ],
)
def test_escapes_of_nginx_and_apache(logged: str, text: str) -> None:
    assert one(f'::1 - - [{TIME}] "GET / HTTP/1.1" 200 1 "-" "{logged}"')["user_agent"] == text


def test_zones() -> None:
    assert one(LINE.replace("+0000", "+0330"))["time"] == 1_431_857_103_000 - 12_600_000


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        ("GET /a.css HTTP/1.1", 200, "asset"),
        ("GET /img/A.PNG?v=2 HTTP/1.1", 200, "asset"),
        ("GET /robots.txt HTTP/1.1", 200, "asset"),
        ("POST /form HTTP/1.1", 200, "method"),
        ("HEAD / HTTP/1.1", 200, "method"),
        ("GET /old HTTP/1.1", 301, "status"),
        ("GET /none HTTP/1.1", 404, "status"),
        ("-", 408, "status"),
        (r"\x16\x03\x01", 400, "status"),
    ],
)
def test_what_is_no_page_view_is_counted(request_: str, status: int, reason: str) -> None:
    assert hits(f'::1 - - [{TIME}] "{request_}" {status} 1') == ([], Counter({reason: 1}))


@pytest.mark.parametrize(
    "path", ["/", "/a.html", "/index.php?x=a.css", "/john.doe", "/css", "/v1.2/", "/a b"]
)
def test_pages(path: str) -> None:
    assert one(f'::1 - - [{TIME}] "GET {path} HTTP/1.1" 200 1')["url"] == "https://www.example.com" + path


def test_an_absolute_target_keeps_its_host() -> None:
    assert one(f'::1 - - [{TIME}] "GET http://b.example/x HTTP/1.1" 200 1')["url"] == "http://b.example/x"


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        LINE.replace("May", "Mai"),
        LINE.replace("17/May", "32/May"),
        LINE.replace("+0000", "+9900"),
        LINE.replace("GET /blog", "GET blog"),
        LINE.replace(" 200 ", " OK "),
        LINE[:60],
        "[" * 60_000,
    ],
)
def test_a_line_that_is_none_stays_what_it_is(line: str) -> None:
    [first, bad, last], _ = hits(LINE, line, LINE)
    assert first == last
    assert bad == line.encode()
    assert isinstance(decode(bad), Flaw)


def test_the_visitor_is_address_and_agent_and_salt() -> None:
    other_agent, other_address = LINE.replace("X11", "X12"), LINE.replace("83.", "84.")
    plain, _ = hits(LINE, LINE, other_agent, other_address)
    salted, _ = hits(LINE, salt="s")
    visitors = [json.loads(raw)["visitor_id"] for raw in plain + salted]
    assert visitors[0] == visitors[1]
    assert len(set(visitors)) == 4
    assert not any(b"83.149.9.216" in raw for raw in plain + salted)


def test_told_by_the_first_line_and_site_required(read: Reader) -> None:
    content = f"\n{LINE}\n".encode()
    assert len(read(content, "access.log.1", site="www.example.com")) == 1
    with pytest.raises(SourceError, match=r"access\.log: an access log does not name its site: add --site"):
        read(content, "access.log")


def test_constants(read: Reader) -> None:
    [raw] = read(LINE.encode(), site="s", sets=["props.import=yes", "channel=referral"])
    hit = json.loads(raw)
    assert (hit["site"], hit["props"], hit["channel"]) == ("s", {"import": "yes"}, "referral")
