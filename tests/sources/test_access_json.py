"""JSON access logs: nginx with ``escape=json``, Caddy; what is a page view and what is none."""

import json
from collections import Counter
from typing import Any

import pytest

from pipeline.sources.access_log import looks_like_access_log, read_access_log

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
NGINX = {
    "time_iso8601": "2026-11-22T10:00:05+03:30", "remote_addr": "203.0.113.7", "remote_user": "",
    "request": "GET /چای?utm_source=x HTTP/1.1", "status": "200", "body_bytes_sent": "512",
    "http_referer": "https://a.example/", "http_user_agent": AGENT, "request_time": "0.004",
}  # fmt: skip
CADDY = {
    "level": "info", "ts": 1795329005.25, "logger": "http.log.access", "msg": "handled request", "user_id": "",
    "request": {
        "remote_ip": "203.0.113.7", "client_ip": "203.0.113.7", "proto": "HTTP/2.0", "method": "GET",
        "host": "shop.example", "uri": "/tea?a=1", "headers": {"User-Agent": [AGENT], "Referer": ["https://a.example/"]},
    },
    "bytes_read": 0, "duration": 0.004, "size": 512, "status": 200,
}  # fmt: skip


def read(*lines: Any) -> tuple[list[bytes], Counter[str]]:
    skipped: Counter[str] = Counter()
    raw = (
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines
    )
    return list(read_access_log(raw, {"site": "www.example.com"}, "", skipped)), skipped


def hit_of(line: Any) -> dict[str, Any]:
    (raw,), _ = read(line)
    return dict(json.loads(raw))


def test_nginx_field_by_field() -> None:
    hit = hit_of(NGINX)
    assert len(hit.pop("visitor_id")) == 32
    assert hit == {
        "site": "www.example.com",
        "event": "page_view",
        "time": 1_795_329_005_000,
        "url": "https://www.example.com/چای?utm_source=x",
        "referrer": "https://a.example/",
        "user_agent": AGENT,
    }


def test_caddy_field_by_field() -> None:
    hit = hit_of(CADDY)
    assert hit.pop("visitor_id") == hit_of(NGINX)["visitor_id"]
    assert hit == {
        "site": "www.example.com",
        "event": "page_view",
        "time": 1_795_329_005_250,
        "url": "https://shop.example/tea?a=1",
        "referrer": "https://a.example/",
        "user_agent": AGENT,
    }


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ({"msec": "1795329005.123"}, 1_795_329_005_123),
        ({"msec": 1795329005.5}, 1_795_329_005_500),
        ({"time_local": "22/Nov/2026:10:00:05 +0330"}, 1_795_329_005_000),
        ({"@timestamp": "2026-11-22T06:30:05Z"}, 1_795_329_005_000),
    ],
)
def test_times(given: dict[str, Any], time: int) -> None:
    line = {name: value for name, value in NGINX.items() if name != "time_iso8601"} | given
    assert hit_of(line)["time"] == time


def test_method_and_target_in_fields_of_their_own() -> None:
    line = {name: value for name, value in NGINX.items() if name != "request"}
    line |= {
        "request_method": "GET",
        "uri": "/a",
        "args": "b=1",
        "host": "shop.example",
        "remote_user": "ann",
    }
    hit = hit_of(line)
    assert (hit["url"], hit["user_id"]) == ("https://shop.example/a?b=1", "ann")


def test_what_is_no_page_view_is_counted() -> None:
    _, skipped = read(
        NGINX | {"status": 404},
        NGINX | {"request": "POST / HTTP/1.1"},
        NGINX | {"request": "GET /a.css HTTP/1.1"},
    )
    assert skipped == {"status": 1, "method": 1, "asset": 1}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"status":200}',
        {"site": "a", "event": "page_view", "visitor_id": "v", "status": 200, "method": "GET", "time": 1},
        NGINX | {"time_iso8601": "yesterday"},
        NGINX | {"request": "GET nowhere HTTP/1.1"},
    ],
)
def test_what_is_no_line_of_a_log_goes_on_as_it_is(line: Any) -> None:
    raw = line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
    assert read(line) == ([raw], Counter())


def test_log_is_told_from_hits_by_its_first_line() -> None:
    assert looks_like_access_log(json.dumps(NGINX).encode())
    assert looks_like_access_log(json.dumps(CADDY).encode())
    assert not looks_like_access_log(b'{"site":"a","event":"page_view","visitor_id":"v"}')
