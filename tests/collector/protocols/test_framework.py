"""What the server does for all protocols: gate, verdicts, preflights, CORS, what is said when nothing was taken."""

import json
from typing import Any

import pytest
from aiohttp import ClientSession

from pipeline.collector.protocols.base import Event, Refusal, Request
from pipeline.collector.protocols.table import ROUTES, listening
from pipeline.collector.salts import Salts
from pipeline.collector.tracking import admit

from ..conftest import NOW_MS, UNAVAILABLE, Server, Start
from .kit import NOW_MS as KIT_NOW_MS
from .kit import judged, request

ORIGIN = "https://shop.example"
VIEW = {"n": "pageview", "u": "https://shop.example/a", "d": "shop.example"}


async def post(
    client: ClientSession, server: Server, body: Any, **headers: str
) -> tuple[int, str, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(
        f"{server.url}/api/event", data=data, headers={"Origin": ORIGIN, **headers}
    ) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_event_of_a_tracker_is_published_under_its_site(server: Server, client: ClientSession) -> None:
    status, text, headers = await post(client, server, VIEW)
    assert (status, text) == (202, "ok")
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Credentials"] == "true"
    (hit,) = server.topic.hits
    assert (hit["site"], hit["event"], hit["url"]) == ("shop.example", "page_view", VIEW["u"])
    assert hit["received_time"] == NOW_MS
    assert server.collector.counts.received == 1


async def test_what_cannot_be_read_is_a_dead_letter_as_it_came(server: Server, client: ClientSession) -> None:
    status, _, headers = await post(client, server, b"{n:pageview}")
    assert status == 400
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert server.topic.records == [(b"", b"{n:pageview}")]
    assert (server.collector.counts.received, server.collector.counts.refused) == (1, 1)


async def test_gate_refuses_and_nothing_of_it_is_kept(start: Start, client: ClientSession) -> None:
    def gate(protocol: str, asked: Request, event: Event) -> str | Refusal:
        assert (protocol, asked.method) == ("plausible", "POST")
        return "known" if event.key == "a.example" else Refusal("unknown_site")

    server = await start(gate=gate)
    status, _, headers = await post(client, server, {**VIEW, "d": "b.example,a.example"})
    assert (status, headers["x-plausible-dropped"]) == (202, "1")
    assert [hit["site"] for hit in server.topic.hits] == ["known"]
    counts = server.collector.counts
    assert (counts.received, counts.refused, counts.barred) == (1, 0, 1)


async def test_preflight_mirrors_what_the_page_asks(server: Server, client: ClientSession) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-any",
    }
    async with client.options(f"{server.url}/api/event", headers=asked) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type,x-any"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"


async def test_header_that_is_no_list_of_names_is_not_mirrored(server: Server, client: ClientSession) -> None:
    asked = {
        "Origin": "https://ü",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "a<b>",
    }
    async with client.options(f"{server.url}/api/event", headers=asked) as answer:
        assert answer.status == 204
        assert "Access-Control-Allow-Headers" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/event", 405), ("PUT", "/api/event", 405), ("GET", "/nobody", 404), ("OPTIONS", "/nobody", 404)],
)  # fmt: skip
async def test_path_or_method_that_nobody_listens_to(
    server: Server, client: ClientSession, method: str, path: str, status: int
) -> None:
    async with client.request(method, server.url + path) as answer:
        assert answer.status == status
    assert server.topic.publishes == []


async def test_topic_away_is_503_with_cors(server: Server, client: ClientSession) -> None:
    server.topic.down = UNAVAILABLE
    status, _, headers = await post(client, server, VIEW)
    assert (status, headers["Access-Control-Allow-Origin"], headers["Retry-After"]) == (503, ORIGIN, "5")


async def test_backlog_is_the_status_that_the_tracker_knows(server: Server, client: ClientSession) -> None:
    server.topic.unread = 10**9
    assert (await post(client, server, VIEW))[0] == 503
    assert server.topic.publishes == []


def test_body_that_only_the_judge_can_read_does_not_come_past_the_gate() -> None:
    forged = b'{"site":"other","event":"purchase","visitor_id":"v","revenue":1}'
    admitted = admit("x", request("POST", "/"), [Event(forged)], lambda *_: "mine")
    assert admitted.hits == []
    assert [verdict and verdict.reason for verdict in admitted.verdicts([])] == ["wrong_type"]


def test_every_route_is_found_by_its_path_alone() -> None:
    assert all(not route.path.fullmatch("/v1/hits") for route in ROUTES)
    assert listening("/api/event")
    assert not listening("/api/event/x")


BATCHES = {
    "/api/batch": b'[{"type":"event","payload":{"website":"s"}},{"type":"event","payload":{"website":"s","title":%s}}]',
    "/batch/": b'{"api_key":"s","batch":[{"event":"a","distinct_id":"u"},{"event":"b","distinct_id":"u","x":%s}]}',
    "/v1/batch": b'{"writeKey":"s","batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u","name":%s}]}',
    "/mp/collect?measurement_id=s": b'{"client_id":"c","events":[{"name":"a"},{"name":"b","params":{"x":%s}}]}',
    "/matomo.php": b'{"requests":["?rec=1&idsite=1",{"rec":1,"idsite":1,"action_name":%s}]}',
}


@pytest.mark.parametrize("value", [rb'"\ud83d"', b"NaN", b'"\xff"'], ids=["half", "nan", "latin"])
@pytest.mark.parametrize("path", BATCHES)
def test_what_one_event_has_and_json_has_not_costs_no_event(path: str, value: bytes) -> None:
    found = judged("POST", path, BATCHES[path] % value)
    assert (len(found.hits), found.refusals) == (2, [])


def test_salts_last_a_day_and_a_month_and_survive_a_restart(tmp_path: Any) -> None:
    day_ms = 86_400_000
    first = Salts(tmp_path).at(NOW_MS)
    assert Salts(tmp_path).at(NOW_MS + 1) == first
    salts = Salts(tmp_path)
    next_day = salts.at(NOW_MS + day_ms)
    assert next_day[0] != first[0]
    assert next_day[1] == first[1]
    assert salts.at(NOW_MS + 31 * day_ms)[1] != first[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["salt-day-2025-12-22", "salt-month-2025-12"]
    assert Salts().at(NOW_MS) != first


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/api/batch", [{"type": "event", "payload": {"website": "s", "url": f"https://h/{n}"}} for n in "zab"]),
        ("/v1/batch", {"writeKey": "s", "batch": [
            {"type": "page", "anonymousId": "a", "properties": {"url": f"https://h/{n}"}} for n in "zab"]}),
        ("/batch/", {"api_key": "s", "sent_at": "2026-11-21T00:00:00Z", "batch": [
            {"event": "$pageview", "distinct_id": "a", "properties": {"$current_url": f"https://h/{n}"}}
            for n in "zab"]}),
    ],
)  # fmt: skip
def test_events_of_one_request_without_a_time_stay_in_their_order(target: str, body: Any) -> None:
    found = judged("POST", target, body).hits
    assert [(hit["url"], hit["time"] - KIT_NOW_MS, hit.get("sent_time")) for hit in found] == [
        ("https://h/z", -2, None), ("https://h/a", -1, None), ("https://h/b", 0, None),
    ]  # fmt: skip
