"""The collector's answers, over real sockets. Nothing is taken of a request that is turned away."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from pipeline.collector.limits import Limits
from schemas.hit import MAX_HIT_BYTES

from .conftest import NOW_MS, UNAVAILABLE, Server, Start, hit

_BAD = {"site": "shop", "event": "page_view"}
_SMALL = Limits(max_body_bytes=MAX_HIT_BYTES, max_held_bytes=2 * MAX_HIT_BYTES, max_hits_per_request=3)


async def _post(
    client: ClientSession, server: Server, body: Any, **headers: str
) -> tuple[int, dict[str, Any], Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(f"{server.url}/v1/hits", data=data, headers=names) as answer:
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_one_hit(server: Server, client: ClientSession, content_type: str) -> None:
    status, answer, headers = await _post(client, server, hit(), Content_Type=content_type)
    assert (status, answer) == (200, {"accepted": 1, "refused": []})
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert server.topic.hits == [hit(received_time=NOW_MS)]


async def test_array_with_a_bad_hit_says_which(server: Server, client: ClientSession) -> None:
    status, answer, _ = await _post(client, server, [hit(), _BAD, hit(score="x"), 7, hit()])
    assert status == 200
    assert answer["accepted"] == 2
    assert [(refused["index"], refused["reason"], refused["field"]) for refused in answer["refused"]] == [
        (1, "missing_field", "visitor_id"),
        (2, "wrong_type", "score"),
        (3, "not_object", ""),
    ]
    assert all(refused["message"] for refused in answer["refused"])
    assert len(server.topic.records) == 5


async def test_lines(server: Server, client: ClientSession) -> None:
    body = b"\n".join(json.dumps(hit(visitor_id=name)).encode() for name in "abc") + b"\n"
    _, answer, _ = await _post(client, server, body)
    assert answer == {"accepted": 3, "refused": []}
    assert [sent["visitor_id"] for sent in server.topic.hits] == ["a", "b", "c"]


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
async def test_gzip_is_known_by_its_bytes(
    server: Server, client: ClientSession, headers: dict[str, str]
) -> None:
    _, answer, _ = await _post(client, server, gzip.compress(json.dumps([hit(), hit()]).encode()), **headers)
    assert answer["accepted"] == 2


async def test_broken_gzip_is_one_bad_hit(server: Server, client: ClientSession) -> None:
    body = gzip.compress(json.dumps(hit()).encode())[:-4]
    status, answer, _ = await _post(client, server, body, Content_Encoding="gzip")
    assert (status, answer["refused"][0]["reason"]) == (400, "not_json")
    assert server.topic.records == [(b"", body)]


async def test_all_refused_is_400_and_kept_for_the_dead_letters(
    server: Server, client: ClientSession
) -> None:
    status, answer, _ = await _post(client, server, b"what is this")
    assert (status, answer["accepted"], answer["refused"][0]["reason"]) == (400, 0, "not_json")
    assert server.topic.records == [(b"", b"what is this")]


@pytest.mark.parametrize("body", [b"", b"[]", b" \n"])
async def test_nothing_sent_nothing_taken(server: Server, client: ClientSession, body: bytes) -> None:
    assert (await _post(client, server, body))[:2] == (200, {"accepted": 0, "refused": []})
    assert server.topic.publishes == []


async def test_browsers_user_agent_is_put_in(server: Server, client: ClientSession) -> None:
    await _post(client, server, hit(), User_Agent="Mozilla/5.0 (X11)", Accept_Language="ar-EG,en")
    assert server.topic.hits == [hit(user_agent="Mozilla/5.0 (X11)", language="ar-EG", received_time=NOW_MS)]


async def test_chunked_body(server: Server, client: ClientSession) -> None:
    async def chunks() -> Any:
        for byte in json.dumps(hit()).encode():
            yield bytes([byte])

    async with client.post(f"{server.url}/v1/hits", data=chunks()) as answer:
        assert (await answer.json())["accepted"] == 1


async def test_answer_comes_after_the_hits_are_durable(server: Server, client: ClientSession) -> None:
    server.topic.gate.clear()
    request = asyncio.create_task(_post(client, server, hit()))
    await asyncio.sleep(0.2)
    assert not request.done()
    server.topic.gate.set()
    assert (await request)[0] == 200


async def test_requests_that_come_during_a_publish_share_the_next(
    server: Server, client: ClientSession
) -> None:
    server.topic.gate.clear()
    requests = [asyncio.create_task(_post(client, server, hit(visitor_id=f"v{n}"))) for n in range(20)]
    await server.has_in_hand(20)
    server.topic.gate.set()
    assert {(await request)[0] for request in requests} == {200}
    assert len(server.topic.publishes) <= 2
    assert len(server.topic.records) == 20


@pytest.mark.parametrize("fault", [UNAVAILABLE, OSError("disk full")])
async def test_topic_away_is_503_until_it_is_back(
    server: Server, client: ClientSession, fault: Exception
) -> None:
    server.topic.down = fault
    status, answer, headers = await _post(client, server, hit())
    assert (status, answer["accepted"]) == (503, 0)
    assert int(headers["Retry-After"]) > 0
    assert headers["Access-Control-Allow-Origin"] == "*"
    server.topic.down = None
    assert (await _post(client, server, hit()))[0] == 200
    assert len(server.topic.records) == 1


async def test_topic_that_does_not_answer_is_503(start: Start, client: ClientSession) -> None:
    server = await start(Limits(publish_timeout_s=1))
    server.topic.gate.clear()
    assert (await _post(client, server, hit()))[0] == 503


async def test_backlog_at_its_limit_is_429(start: Start, client: ClientSession) -> None:
    server = await start(Limits(max_backlog=10, retry_after_s=7))
    server.topic.unread = 9
    assert (await _post(client, server, hit()))[0] == 200
    server.topic.unread = 10
    status, answer, headers = await _post(client, server, hit())
    assert (status, answer["accepted"], headers["Retry-After"]) == (429, 0, "7")
    assert len(server.topic.records) == 1
    assert server.collector.counts.turned_away == 1


async def test_bodies_in_hand_are_bounded(start: Start, client: ClientSession) -> None:
    server = await start(_SMALL)
    server.topic.gate.clear()
    large = hit(title="x" * 50_000)
    held = [asyncio.create_task(_post(client, server, large)) for _ in range(2)]
    await server.has_in_hand(2)
    assert (await _post(client, server, large))[0] == 429
    server.topic.gate.set()
    assert [(await request)[0] for request in held] == [400, 400]  # the title is too long
    for _ in range(5):  # what has been answered is not in hand
        assert (await _post(client, server, large))[0] == 400


async def test_body_limit_is_inclusive(start: Start, client: ClientSession) -> None:
    server = await start(_SMALL)
    body = json.dumps(hit()).encode()
    assert (await _post(client, server, body.ljust(MAX_HIT_BYTES)))[0] == 200
    for data in (body.ljust(MAX_HIT_BYTES + 1), gzip.compress(body.ljust(MAX_HIT_BYTES + 1))):
        status, answer, _ = await _post(client, server, data)
        assert (status, answer["accepted"]) == (413, 0)
    assert len(server.topic.records) == 1


async def test_chunked_body_over_the_limit_is_413(start: Start, client: ClientSession) -> None:
    server = await start(_SMALL)

    async def chunks() -> Any:
        for _ in range(3):
            yield bytes(MAX_HIT_BYTES // 2)

    async with client.post(f"{server.url}/v1/hits", data=chunks()) as answer:
        assert answer.status == 413
    assert server.topic.records == []


async def test_number_of_hits_is_bounded(start: Start, client: ClientSession) -> None:
    server = await start(_SMALL)
    assert (await _post(client, server, [hit()] * 3))[0] == 200
    assert (await _post(client, server, [hit()] * 4))[0] == 413
    assert len(server.topic.records) == 3


async def test_preflight_allows_any_origin_without_credentials(server: Server, client: ClientSession) -> None:
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "content-type,x-any"}
    async with client.options(f"{server.url}/v1/hits", headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Headers"] == "*, Authorization"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_pixel(server: Server, client: ClientSession) -> None:
    query = {"site": "shop", "event": "email_open", "user_id": "u1", "time": "1763000000000", "score": "9.5"}
    query |= {"props.campaign": "نوروز", "props.n": "1", "campaign": '{"source":"mail"}', "title": "12"}
    async with client.get(f"{server.url}/v1/hit.gif", params=query) as answer:
        assert answer.status == 200
        assert answer.content_type == "image/gif"
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.headers["Masir-Accepted"], answer.headers["Masir-Refused"]) == ("1", "0")
        assert (await answer.read())[:10] == b"GIF89a\x01\x00\x01\x00"
    (sent,) = server.topic.hits
    assert sent["time"] == 1_763_000_000_000
    assert sent["score"] == 9.5
    assert sent["title"] == "12"
    assert sent["props"] == {"campaign": "نوروز", "n": "1"}
    assert sent["campaign"] == {"source": "mail"}


async def test_pixel_with_long_urls(server: Server, client: ClientSession) -> None:
    query = {"site": "shop", "event": "page_view", "user_id": "u1", "url": "https://x/" + "صفحه" * 500}
    async with client.get(f"{server.url}/v1/hit.gif", params=query) as answer:
        assert answer.headers["Masir-Accepted"] == "1"


async def test_pixel_of_a_bad_hit_is_an_image_that_says_so(server: Server, client: ClientSession) -> None:
    async with client.get(f"{server.url}/v1/hit.gif?site=shop&event=page_view&score=many") as answer:
        assert (answer.status, answer.content_type) == (200, "image/gif")
        assert (answer.headers["Masir-Accepted"], answer.headers["Masir-Refused"]) == ("0", "1")
        assert answer.headers["Masir-Reason"] == "wrong_type score"
    assert len(server.topic.records) == 1


@pytest.mark.parametrize(
    "query", ["a=%ff%fe", "site=%00", "props=%7B", "time=" + "9" * 5_000, "=&=", "a.b.c=1"]
)
async def test_any_query_is_one_record(server: Server, client: ClientSession, query: str) -> None:
    async with client.get(URL(f"{server.url}/v1/hit.gif?{query}", encoded=True)) as answer:
        assert (answer.status, answer.headers["Masir-Refused"]) == (200, "1")
    assert len(server.topic.records) == 1


async def test_pixel_is_an_image_also_when_the_topic_is_away(server: Server, client: ClientSession) -> None:
    server.topic.down = UNAVAILABLE
    async with client.get(f"{server.url}/v1/hit.gif?site=shop&event=e&user_id=u") as answer:
        assert (answer.status, answer.content_type) == (503, "image/gif")
        assert "Retry-After" in answer.headers
    async with client.head(f"{server.url}/v1/hit.gif?site=shop&event=e&user_id=u") as answer:
        assert answer.status == 405


async def test_tracker_script_is_served_once(server: Server, client: ClientSession) -> None:
    async with client.get(f"{server.url}/masir.js") as answer:
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        tag = answer.headers["ETag"]
    async with client.get(f"{server.url}/masir.js", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


async def test_health_readiness_and_the_callers_routes(start: Start, client: ClientSession) -> None:
    reasons = ["the store is away"]

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text="masir_up 1\n")

    server = await start(ready=lambda: reasons, extra_routes=[web.get("/metrics", metrics)])
    async with client.get(f"{server.url}/healthz") as answer:
        assert answer.status == 200
    async with client.get(f"{server.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"ready": False, "reasons": reasons})
    reasons.clear()
    async with client.get(f"{server.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "reasons": []})
    async with client.get(f"{server.url}/metrics") as answer:
        assert await answer.text() == "masir_up 1\n"
    async with client.get(f"{server.url}/v1/hits") as answer:
        assert answer.status == 405


async def test_counts(server: Server, client: ClientSession) -> None:
    await _post(client, server, [hit(), _BAD])
    await _post(client, server, hit())
    server.topic.down = UNAVAILABLE
    await _post(client, server, [hit()] * 5)
    counts = server.collector.counts
    assert (counts.requests, counts.received, counts.refused, counts.turned_away) == (3, 3, 1, 1)


async def test_stop_answers_what_is_in_hand(start: Start, client: ClientSession) -> None:
    server = await start()
    server.topic.gate.clear()
    request = asyncio.create_task(_post(client, server, hit()))
    await server.has_in_hand(1)
    stopping = asyncio.create_task(server.collector.stop())
    await asyncio.sleep(0.2)
    server.topic.gate.set()
    assert (await request)[0] == 200
    await stopping
    with pytest.raises(OSError):  # noqa: PT011  (refused or reset, as the system likes)
        await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_backlog": 0}, "max_backlog must be greater than 0"),
        ({"max_body_bytes": MAX_HIT_BYTES - 1}, "must hold one hit"),
        ({"max_held_bytes": 5_000_000}, "2 x max_body_bytes"),
    ],
)
def test_limits_that_cannot_hold_are_named(limits: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**limits)
