"""The raw port: malformed, truncated, slow, pipelined, bombs, wrong lengths. No 5xx, no crash, bounded memory, and
every record of the topic was told of."""

import asyncio
import gzip
import json
import logging
import re
import resource
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.collector.limits import Limits
from pipeline.collector.server import Collector

from .conftest import NOW_MS, MemoryTopic, Server, Start, hit

QUICK = Limits(read_timeout_s=1, idle_timeout_s=1)
QUICKER = msgspec.structs.replace(QUICK, read_timeout_s=0.2, idle_timeout_s=0.2)  # settings are whole seconds
HOST = b"Host: x\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_ANSWER = re.compile(rb'{"accepted":(\d+),"refused":\[(.*?)\]')


@pytest.fixture
async def quick(start: Start) -> Server:
    return await start(QUICK)


async def talk(server: Server, *parts: bytes, pause: float = 0.0, patience: float = 4.0) -> bytes:
    """Send the parts; all that comes back until the other side closes, which it does when it is idle."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    said = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(patience):
            while piece := await reader.read(65_536):
                said += piece
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return said


def post(body: bytes, *headers: bytes, length: int | None = None, path: bytes = b"/v1/hits") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in headers)
    return head + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def rss() -> int:
    """Resident bytes of this process, in which the collector runs."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(said)]


def adds_up(server: Server, said: Iterable[bytes]) -> bool:
    """Every record of the topic was told of: accepted, or refused and kept."""
    told = sum(
        int(number) + refused.count(b'"index"') for one in said for number, refused in _ANSWER.findall(one)
    )
    return told == len(server.topic.records) == server.collector.counts.received


ONE = json.dumps(hit()).encode()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([b"\0\0\0\0\r\n\r\n"], [400]),
        ([b"GET\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/9.9\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"X y: a\r\nContent-Length: 0\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n"], [400]),
        ([b"POST /v1/hits HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 1_000 + b"\r\n"], [400]),
        ([b"GET /v1/hit.gif?x=" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"], [400]),
        ([post(ONE, length=10**12)], [413]),
        ([post(ONE, length=len(ONE) - 1)], [400]),
        ([post(b"")], [200]),
        ([post(ONE)], [200]),
        ([post(ONE) + post(ONE) + post(b"{") + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"], [200, 200, 400, 200]),
        ([post(ONE, b"Expect: 100-continue")], [100, 200]),
        ([post(ONE, b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")], [200]),
        ([post(ONE, b"Expect: 100-continue\x80")], [417]),
    ],
)  # fmt: skip
async def test_what_is_answered(quick: Server, sent: list[bytes], expected: list[int]) -> None:
    said = await talk(quick, *sent)
    assert statuses(said)[: len(expected)] == expected
    assert adds_up(quick, [said])


async def test_a_body_that_does_not_come_is_not_waited_for(quick: Server) -> None:
    said = await talk(quick, post(b'{"site":', length=10_000), b"x", pause=1.5)
    assert statuses(said) in ([408], [400])
    assert quick.topic.records == []


async def test_a_head_that_drips_is_cut_off(quick: Server) -> None:
    """Slowloris: a byte now and then keeps no connection for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
    began = asyncio.get_running_loop().time()
    with suppress(ConnectionError):
        for byte in b"POST /v1/hits HTTP/1.1\r\nX-Long: " + b"a" * 150:
            writer.write(bytes([byte]))
            await writer.drain()
            if reader.at_eof():
                break
            await asyncio.sleep(0.1)
    writer.close()
    assert asyncio.get_running_loop().time() - began < 10


async def test_a_bomb_is_not_inflated(quick: Server) -> None:
    bomb = gzip.compress(bytes(500_000_000), 9)
    before = rss()
    said = await asyncio.gather(*(talk(quick, post(bomb)) for _ in range(8)))
    assert [statuses(one) for one in said] == [[413]] * 8
    assert rss() - before < 150_000_000
    nested = gzip.compress(gzip.compress(bytes(50_000_000)))
    assert statuses(await talk(quick, post(nested))) == [400], "what is inside is not inflated again"
    deflated = zlib.compress(bytes(50_000_000))
    assert statuses(await talk(quick, post(deflated, b"Content-Encoding: deflate"))) == [400]


async def test_what_is_nested_deep_is_a_dead_letter(quick: Server) -> None:
    deep = b'{"site":"shop","event":"e","visitor_id":"v","props":' + b'{"a":' * 30_000 + b"1" + b"}" * 30_001
    for body in (deep, b"[" * 60_000, b'{"a":' * 60_000, b"[" + deep[:50_000] + b"]"):
        assert statuses(await talk(quick, post(body))) in ([200], [400])


async def test_many_at_once_that_say_nothing(quick: Server) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", quick.port) for _ in range(300)]
    assert statuses(await talk(quick, post(ONE))) == [200]
    for _, writer in idle:
        writer.close()


async def test_bodies_that_are_only_announced_turn_nobody_away(start: Start) -> None:
    server = await start(Limits(max_held_bytes=2 * Limits().max_body_bytes))
    announced = [post(b"{", length=Limits().max_body_bytes)] * 20
    waiting = [asyncio.create_task(talk(server, one, patience=2)) for one in announced]
    await asyncio.sleep(0.5)
    assert statuses(await talk(server, post(ONE), patience=0.5)) == [200]
    assert [statuses(said) for said in await asyncio.gather(*waiting)] == [[]] * 20
    await asyncio.sleep(0.1)  # they have hung up
    assert statuses(await talk(server, post(b" " * 1_000_000 + ONE), patience=1)) == [200]


async def test_bodies_count_as_they_arrive(start: Start) -> None:
    limits = Limits(max_body_bytes=1_000_000, max_held_bytes=2_000_000)
    server = await start(limits)
    half = post(b" " * 900_000, length=1_000_000)
    waiting = [asyncio.create_task(talk(server, half, patience=1.5)) for _ in range(2)]
    await asyncio.sleep(0.5)
    assert statuses(await talk(server, post(b" " * 300_000 + ONE), patience=0.5)) == [429]
    assert statuses(await talk(server, post(ONE), patience=0.3)) == [200]
    assert [statuses(said) for said in await asyncio.gather(*waiting)] == [[], []]
    assert statuses(await talk(server, post(b" " * 900_000 + ONE), patience=1)) == [200], "given back"


async def test_control_characters_reach_no_log(quick: Server, caplog: pytest.LogCaptureFixture) -> None:
    evil = "\x1b[31m\r\nfake line\0"
    with caplog.at_level(logging.DEBUG):
        await talk(quick, post(json.dumps(hit(title=evil, url=evil)).encode()))
        await talk(quick, b"POST /\x1b[31m HTTP/1.1\r\n\r\n", b"GET /v1/\x07 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", caplog.text)


HEADERS = st.sampled_from(
    [b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Content-Encoding: br", b"Connection: close",
     b"Expect: 100-continue", b"Origin: null", b"X-Forwarded-For: \xff", b"Cookie: a=b", b"Authorization: Bearer \xc3",
     b"Content-Type: multipart/form-data", b"DNT: 1", b"Range: bytes=0-", b"Upgrade: websocket"]
)  # fmt: skip
PATHS = st.sampled_from(
    [b"/v1/hits", b"/v1/hit.gif?site=s&event=e&user_id=u", b"/matomo.php?idsite=1&rec=1", b"/api/event", b"/api/send",
     b"/com.snowplowanalytics.snowplow/tp2", b"/g/collect?v=2&tid=G-1", b"/v1/batch", b"/e/", b"/batch/", b"/../..",
     b"/%00", b"//", b"*", b"http://127.0.0.1:1/", b"/masir.js", b"/readyz"]
)  # fmt: skip
NAMES = st.sampled_from(["site", "event", "batch", "data", "type", "events"])
JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
KNOWN = [ONE, b"[" + ONE + b"," + ONE + b"]", ONE + b"\n" + ONE, gzip.compress(ONE), gzip.compress(ONE)[:20]]
BODIES = st.binary(max_size=200) | st.sampled_from(KNOWN) | JSON.map(lambda value: json.dumps(value).encode())


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request, perhaps with a wrong length, perhaps cut, perhaps with bytes changed."""
    body = draw(BODIES)
    method = draw(st.sampled_from([b"POST", b"GET", b"PUT", b"OPTIONS", b"HEAD", b"\x16\x03\x01"]))
    lines = [b"%s %s HTTP/1.1" % (method, draw(PATHS)), b"Host: x", *draw(st.lists(HEADERS, max_size=3))]
    wrong = draw(st.sampled_from([0, 0, 0, 1, -1, 1_000]))
    lines.append(b"Content-Length: %d" % (len(body) + wrong))
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + body
    if draw(st.booleans()) and draw(st.booleans()):
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + draw(st.binary(max_size=3)) + raw[at + draw(st.integers(0, 3)) :]
    return raw


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests(), min_size=1, max_size=12), st.integers(1, 500))
def test_any_bytes(sent: list[bytes], cut: int) -> None:
    async def try_it() -> None:
        topic = MemoryTopic()
        collector = Collector(topic, now_ms=lambda: NOW_MS, limits=QUICKER)
        server = Server(collector, topic, await collector.start("127.0.0.1", 0))
        try:
            whole = b"".join(sent)
            pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)]
            said = await asyncio.gather(
                *(talk(server, one, patience=0.7) for one in sent), talk(server, *pieces[:40], patience=0.7)
            )
            assert not [status for one in said for status in statuses(one) if status >= 500]
            assert collector.counts.received == len(topic.records)
            assert statuses(await talk(server, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")) == [200]
        finally:
            await collector.stop()

    asyncio.run(try_it())
