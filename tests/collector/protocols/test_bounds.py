"""What a small request can make the collector do: no more than its bytes, inflated, and what its events may hold."""

import gzip
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from aiohttp import ClientSession

from pipeline.collector.body import TooManyError
from pipeline.collector.protocols.base import Event, Request
from pipeline.collector.protocols.fields import encoded
from pipeline.collector.tracking import admit
from schemas.hit import MAX_PROPS_BYTES, MAX_PROPS_KEYS

from ..conftest import Server
from .kit import judged, parsed, request

MANY = 1_000_000
EMPTIES = b"[" + b"{}," * (MANY - 1) + b"{}]"
PARAMETERS = "&".join(f"ep.a{number}=1" for number in range(990))
LISTS = {
    "/api/batch": EMPTIES,
    "/e/": EMPTIES,
    "/batch/": b'{"batch":%s}' % EMPTIES,
    "/i/v1/analytics/events": b'{"batch":%s}' % EMPTIES,
    "/v1/batch": b'{"batch":%s}' % EMPTIES,
    "/v1/b": EMPTIES,
    "/api/s/batch": b'{"batch":%s}' % EMPTIES,
    "/com.snowplowanalytics.snowplow/tp2": b'{"data":%s}' % EMPTIES,
    "/matomo.php": b'{"requests":%s}' % EMPTIES,
    "/mp/collect?measurement_id=G-1": b'{"events":%s}' % EMPTIES,
    f"/g/collect?tid=G-1&{PARAMETERS}": b"a\n" * MANY,
    "/cloudevents/shop": EMPTIES,
}


def steps(work: Callable[[], object]) -> int:
    """How many of Python's instructions it takes: the same on any machine."""
    taken = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal taken
        frame.f_trace_opcodes = True
        taken += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return taken


@pytest.mark.parametrize("path", LISTS)
def test_events_are_counted_before_any_is_built(path: str) -> None:
    def parse_it() -> None:
        with pytest.raises(TooManyError, match="at most 10000 hits"):
            parsed(request("POST", path, LISTS[path]))

    assert steps(parse_it) < 200_000


def test_domains_of_one_event_are_few() -> None:
    with pytest.raises(TooManyError, match="at most 100 hits"):
        parsed(request("POST", "/api/event", {"n": "pageview", "d": "a," * 101}))


@pytest.mark.parametrize("path", ["/api/batch", "/matomo.php"])
async def test_too_many_events_are_413(server: Server, client: ClientSession, path: str) -> None:
    async with client.post(server.url + path, data=gzip.compress(LISTS[path], 1)) as answer:
        assert answer.status == 413
        assert "at most 10000 hits" in await answer.text()
    assert server.topic.publishes == []


async def test_too_many_in_a_query_that_has_to_wait(server: Server, client: ClientSession) -> None:
    server.topic.unread = 10**9
    many = "[" + "1," * 20_000 + "1]"
    async with client.get(f"{server.url}/e/", params={"data": many}) as answer:
        assert answer.status == 503


MANY_KEYS = {f"k{number}": number for number in range(20_000)}
LONG = {"long": "x" * 200_000, "short": "y"}
CLOUD = {"specversion": "1.0", "id": "1", "source": "s", "type": "x"}
COUNT = 200


def sharing(shared: dict[str, Any]) -> dict[str, Request]:
    """Requests of ``COUNT`` events that share so much."""
    user = {name: {"value": value} for name, value in shared.items()}
    return {
        "segment": request("POST", "/v1/batch", {
            "writeKey": "shop", "context": shared, "batch": [{"type": "page", "anonymousId": "a"}] * COUNT,
        }),
        "ga4": request("POST", "/mp/collect?measurement_id=shop", {
            "client_id": "a", "user_properties": user, "events": [{"name": "page_view"}] * COUNT,
        }),
        "plausible": request("POST", "/api/event", {
            "n": "pageview", "u": "https://a/", "d": ",".join(f"d{n}" for n in range(100)), "p": shared,
        }),
        "gtag": request("POST", f"/g/collect?tid=shop&cid=a&{PARAMETERS}", b"en=page_view&ep.own=1\n" * COUNT),
        "cloudevents": request("POST", f"/cloudevents?{PARAMETERS}&site=shop", [CLOUD] * COUNT),
    }  # fmt: skip


@pytest.mark.parametrize("shared", [MANY_KEYS, LONG], ids=["keys", "long"])
@pytest.mark.parametrize("protocol", sharing({}))
def test_what_events_share_is_worked_through_once(protocol: str, shared: dict[str, Any]) -> None:
    asked = sharing(shared)[protocol]
    size = len(asked.body) + len(asked.query)
    events: list[Event] = []
    assert steps(lambda: events.extend(parsed(asked).events)) < 20 * size + 100 * MAX_PROPS_KEYS * COUNT
    assert len(events) >= 100
    assert max(len(encoded(event.hit)) for event in events) < 2 * MAX_PROPS_BYTES


def test_shared_part_that_is_cut_says_so() -> None:
    context = {**MANY_KEYS, "page": {"url": "https://shop.example/"}}
    batch = [{"type": "page", "anonymousId": "a", "context": {"own": 1}}] * 2
    first, second = judged("POST", "/v1/batch", {"writeKey": "shop", "context": context, "batch": batch}).hits
    assert first["props"] == second["props"]
    assert first["props"]["context"]["own"] == 1
    assert first["props"]["context"]["dropped_props"] == 20_001 - 63


@pytest.mark.parametrize("name", ["client_id", "user_id", "user_agent", "ip_override", "timestamp_micros"])
def test_long_texts_that_events_share_are_cut(name: str) -> None:
    body = {"client_id": "a", name: "x" * 200_000, "events": [{"name": "page_view"}] * 3}
    hits = judged("POST", "/mp/collect?measurement_id=shop", body).hits
    assert len(hits) == 3
    assert all(len(encoded(hit)) < MAX_PROPS_BYTES for hit in hits)


def test_a_key_that_nobody_has_is_not_written_for_each_event() -> None:
    seen: list[Event] = []

    def gate(_protocol: str, _request: Request, event: Event) -> str:
        seen.append(event)
        return event.key

    batch = [{"type": "page", "anonymousId": "a"}] * 3
    asked = request("POST", "/v1/batch", {"writeKey": "k" * 100_000 + ":" + "s" * 100_000, "batch": batch})
    admit("segment", asked, parsed(asked).events, gate)
    assert [(len(event.key), len(event.secret)) for event in seen] == [(1_024, 1_024)] * 3
