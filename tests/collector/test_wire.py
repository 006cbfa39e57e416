"""Bad and slow HTTP, on bare sockets; and any bytes as a body or a header."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.collector.limits import Limits
from pipeline.collector.server import Collector

from .conftest import NOW_MS, MemoryTopic, Server, Start, hit

_BODY = json.dumps(hit()).encode()
_POST = b"POST /v1/hits HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
_CHUNKED = b"POST /v1/hits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _talk(server: Server, data: bytes, *, answers: int = 1) -> list[int]:
    """The status of each answer to ``data``; waits for that many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    said = b""
    async with asyncio.timeout(20):
        while len(_statuses(said)) < answers and (part := await reader.read(65_536)):
            said += part
    writer.close()
    return _statuses(said)


def _statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+) ", said)]


async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    bad = _POST.replace(b"page_view", b"\x00\x00\x00\x00\x00\x00\x00\x00\x00")
    statuses = await _talk(server, _POST + bad + _POST * 50, answers=52)
    assert statuses == [200, 400] + [200] * 50
    assert len(server.topic.records) == 52


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /v1/hits HTTP/9.9\r\n\r\n",
        _POST.replace(b"Content-Length: ", b"Content-Length: -"),
        _POST.replace(b"\r\nHost", b"\r\nContent-Length: 3\r\nHost"),
        _POST.replace(b"\r\nHost", b"\r\nTransfer-Encoding: chunked\r\nHost"),
        _CHUNKED + b"zz\r\n",
        _CHUNKED + b"5\r\nabcdefgh\r\n",
        b"GET /v1/hit.gif?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9_000 + b"\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused_and_the_server_lives(server: Server, data: bytes) -> None:
    assert await _talk(server, data) == [400]
    assert server.topic.records == []
    assert await _talk(server, _POST) == [200]


async def test_body_whose_chunks_break_off_is_refused(start: Start) -> None:
    server = await start(Limits(read_timeout_s=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(_CHUNKED + b"2\r\n{}\r\n")
    await asyncio.sleep(0.2)  # the server reads the body by now
    writer.write(b"zz\r\n")
    said = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert _statuses(said)[0] in (400, 408)
    assert server.topic.records == []


async def test_half_an_emoji_costs_no_hit(server: Server, client: ClientSession) -> None:
    """``JSON.stringify("😀".slice(0, 1))`` is half of a pair."""
    bad = b'{"site":"shop","event":"e","visitor_id":"v","score":tru}'
    half = json.dumps(hit(title="\ud83d", ip="203.0.113.77")).encode()
    async with client.post(f"{server.url}/v1/hits", data=b"[%s,%s,%s]" % (_BODY, half, bad)) as answer:
        told = await answer.json()
    assert (answer.status, told["accepted"]) == (200, 2)
    assert [(one["index"], one["reason"]) for one in told["refused"]] == [(2, "not_json")]
    assert [json.loads(value).get("title") for _, value in server.topic.records[:2]] == [None, "\ufffd"]
    assert json.loads(server.topic.records[1][1])["ip"] == "203.0.113.0", "the gate has seen it"
    assert server.topic.records[2] == (b"", bad)


async def test_sender_that_hangs_up_in_the_middle_leaves_nothing(server: Server) -> None:
    for cut in (10, 60, len(_POST) - 1):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_POST[:cut])
        await writer.drain()
        writer.close()
    assert await _talk(server, _POST) == [200]
    assert len(server.topic.records) == 1


async def test_slow_body_times_out(start: Start) -> None:
    server = await start(Limits(read_timeout_s=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(_POST[:-1])
    said = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert _statuses(said) == [408]
    assert server.topic.records == []


@pytest.mark.parametrize("data", [b"", b"POST /v1/hits HTTP/1.1\r\nHost: x\r\nX-", _POST])
async def test_idle_connection_is_closed(start: Start, data: bytes) -> None:
    server = await start(Limits(idle_timeout_s=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    await asyncio.wait_for(reader.read(), 20)
    writer.close()


@asynccontextmanager
async def _serving() -> AsyncIterator[Server]:
    topic = MemoryTopic()
    collector = Collector(topic, now_ms=lambda: NOW_MS)
    yield Server(collector, topic, await collector.start("127.0.0.1", 0))
    await collector.stop()


_hits = st.one_of(
    st.just(_BODY),
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ).map(lambda value: json.dumps(value).encode()),
)
_bodies = st.one_of(
    st.binary(max_size=200),
    st.lists(_hits, max_size=5).map(b"\n".join),
    st.lists(_hits, max_size=5).map(lambda hits: b"[" + b",".join(hits) + b"]"),
)
_header_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)
_headers = st.dictionaries(
    st.sampled_from(["User-Agent", "Accept-Language", "Content-Type", "Origin", "X-Other", "Cookie"]),
    _header_text,
)


@given(st.lists(st.tuples(_bodies, _headers), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_body_and_headers_are_answered_and_every_hit_is_published(
    requests: list[tuple[bytes, dict[str, str]]],
) -> None:
    async def run() -> None:
        async with _serving() as server, ClientSession() as client:
            for body, headers in requests:
                before = len(server.topic.records)
                async with client.post(f"{server.url}/v1/hits", data=body, headers=headers) as answer:
                    assert answer.status in (200, 400)
                    told = await answer.json()
                published = server.topic.records[before:]
                assert told["accepted"] + len(told["refused"]) == len(published)
                assert {refused["index"] for refused in told["refused"]} == {
                    index for index, (key, _) in enumerate(published) if key == b""
                }
            assert server.collector.counts.received == len(server.topic.records)

    asyncio.run(run())


@given(st.lists(st.binary(max_size=200), max_size=10))
@settings(max_examples=50, deadline=None)
def test_any_bytes_as_requests_leave_the_server_alive(streams: list[bytes]) -> None:
    async def run() -> None:
        async with _serving() as server:
            for data in streams:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"POST /v1/hits HTTP/1.1\r\n" + data + b"\r\n\r\n")
                writer.close()
            assert await _talk(server, _POST) == [200]

    asyncio.run(run())
