"""Whatever is sent to whichever path: an answer, no error, and each event found is published or refused."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.collector.protocols.fields import decoded
from pipeline.collector.protocols.table import ROUTES, listening, parse
from pipeline.collector.publisher import Record
from pipeline.collector.server import Collector
from pipeline.collector.stamping import stamp, take_in
from pipeline.collector.tracking import admit
from pipeline.core.decode import Flaw, decode

from .kit import NOW_MS, request

_WORDS = """
    n u d r p m $ i e sd name url domain props revenue amount currency pageview engagement
    website hostname payload type identify event data id timestamp performance title referrer
    idsite rec _id cid uid ping idgoal ec_id ec_items search link download e_c e_a c_n cdt cdo requests r send_image
    cvar _pks _pkc token_auth
    aid eid e pv pp se ue tr ti dtm stm ttm duid co cx ue_pr ue_px tr_tt ti_pr schema tv
    iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4
    iglu:v/snowplow_ecommerce_action/jsonschema/1-0-0 iglu:v/transaction/jsonschema/1-0-0 transaction product
    tid en dl v ep.a epn.value pr1 gcs cu client_id events params items value user_properties timestamp_micros
    batch messageId anonymousId userId properties traits context sentAt timestamp writeKey api_key token distinct_id
    uuid offset $set specversion source time subject signature event-data RecordType
"""
WORDS = sorted(_WORDS.split())
GOOD = [
    "1",
    "shop",
    "page_view",
    "purchase",
    "2026-11-21 00:00:00",
    "1795305600",
    "49.90",
    "EUR",
    "undefined",
    "[]",
    "{}",
]

texts = st.one_of(st.sampled_from(WORDS), st.sampled_from(GOOD), st.text(max_size=20))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, st.integers(0, 2**80), st.just("x" * 3_000)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=6)),
    max_leaves=30,
)
objects = st.dictionaries(texts, values, max_size=12)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()  # with NaN and Infinity, which are no JSON


def as_form(fields: dict[str, Any]) -> str:
    return urlencode({name: str(value) for name, value in fields.items()}, errors="replace")


def snowplow(events: list[Any]) -> dict[str, Any]:
    return {"schema": "iglu:a/payload_data/jsonschema/1-0-4", "data": events}


several = st.lists(objects, max_size=4)
bodies = st.one_of(
    st.binary(max_size=200),
    st.one_of(objects, values, several, several.map(snowplow)).map(as_json),
    several.map(lambda all_of_them: as_json({"requests": ["?" + as_form(one) for one in all_of_them]})),
    st.tuples(objects, several).map(lambda pair: as_json({**pair[0], "events": pair[1], "batch": pair[1]})),
    st.dictionaries(texts, texts, max_size=10).map(lambda form: as_form(form).encode()),
    st.integers(1, 2_000).map(lambda depth: b'{"p":' * depth + b"1" + b"}" * depth),
    objects.map(lambda value: gzip.compress(as_json(value))),
    st.tuples(objects.map(as_json), st.integers(0, 60)).map(lambda cut: cut[0][: -cut[1] or None]),
)
queries = st.one_of(
    st.just(""),
    st.dictionaries(texts, texts, max_size=12).map(as_form),
    st.text(max_size=60).map(lambda text: quote(text, safe="&=%?+~", errors="replace")),
)
NAMES = (
    "Origin",
    "Referer",
    "User_Agent",
    "X_Forwarded_For",
    "Authorization",
    "SP_Anonymous",
    "Content_Type",
)
latin_1 = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
headers = st.dictionaries(st.sampled_from(NAMES), latin_1)

PATHS = {
    "matomo": ["/matomo.php"],
    "snowplow": ["/i", "/com.snowplowanalytics.snowplow/tp2", "/acme/track"],
    "ga4": ["/mp/collect", "/debug/mp/collect", "/g/collect"],
    "plausible": ["/api/event"],
    "umami": ["/api/send", "/api/batch"],
}


@pytest.mark.parametrize("protocol", sorted(PATHS))
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_anything_is_answered_and_each_event_has_one_fate(protocol: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS[protocol]))
    method = data.draw(st.sampled_from(("GET", "POST")))
    asked = request(
        method,
        f"{path}?{data.draw(queries)}",
        data.draw(bodies) if method == "POST" else b"",
        **data.draw(headers),
    )
    found = parse(listening(path), asked)
    if found is None:
        return
    route, parsed = found
    assert route.protocol == protocol
    admitted = admit(route.protocol, asked, parsed.events, lambda _p, _r, event: event.key)
    taken = take_in(admitted.hits, stamp(asked.received_ms, user_agent="", accept_language=""))
    verdicts = admitted.verdicts(taken.refused)
    assert len(verdicts) == len(parsed.events)
    assert len(taken.records) + len(admitted.barred) == len(parsed.events)
    answer = parsed.answered(verdicts)
    assert 200 <= answer.status < 500
    for value, verdict in zip(
        [value for _, value in taken.records], _of(admitted.places, verdicts), strict=True
    ):
        assert isinstance(decode(value), Flaw) == (verdict is not None)
    if answer.content_type == "application/json":
        msgspec.json.decode(answer.body)


def _of(places: list[int], verdicts: list[Any]) -> list[Any]:
    return [verdicts[place] for place in places]


ID = "0123456789abcdef"
SHOP = "https://shop.example/"
WITH_ANYTHING: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "matomo": ("/matomo.php", lambda extra: {"requests": [extra | {"idsite": 1, "rec": 1, "_id": ID}]}),
    "snowplow": (
        "/com.snowplowanalytics.snowplow/tp2",
        lambda extra: snowplow([extra | {"e": "pv", "aid": "shop", "duid": "d"}]),
    ),
    "ga4": (
        "/mp/collect?measurement_id=G-SHOP",
        lambda extra: {
            "client_id": "c",
            "events": [{"name": "a", "params": extra}],
            "user_properties": extra,
        },
    ),
    "plausible": ("/api/event", lambda extra: {"n": "a", "u": SHOP, "d": "shop", "p": extra, "$": extra}),
    "umami": (
        "/api/send",
        lambda extra: {"type": "event", "payload": extra | {"website": "shop", "name": "a", "data": extra}},
    ),
}


@pytest.mark.parametrize("protocol", sorted(WITH_ANYTHING))
@settings(max_examples=60, deadline=None)
@given(extra=objects)
def test_a_good_event_is_taken_whatever_else_it_says(protocol: str, extra: dict[str, Any]) -> None:
    target, body_of = WITH_ANYTHING[protocol]
    raw = as_json(body_of(extra))
    if decoded(raw) is None:  # no JSON: NaN, or a number beyond all floats
        return
    asked = request("POST", target, raw)
    found = parse(listening(asked.path), asked)
    assert found is not None
    admitted = admit(protocol, asked, found[1].events, lambda _p, _r, event: event.key)
    assert len(admitted.hits) >= 1
    for hit in admitted.hits:
        assert not isinstance(decode(hit), Flaw), decode(hit)


class _Topic:
    """A publisher that counts."""

    def __init__(self) -> None:
        self.records = 0

    async def publish(self, records: list[Record]) -> None:
        self.records += len(records)

    def backlog(self) -> int:
        return 0


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Collector, _Topic, int]]:
    """A real collector, in a thread of its own."""
    topic, loop, ports = _Topic(), asyncio.new_event_loop(), Queue[int]()
    collector = Collector(topic, now_ms=lambda: NOW_MS)

    async def start() -> None:
        ports.put(await collector.start("127.0.0.1", 0))

    thread = Thread(target=lambda: (loop.run_until_complete(start()), loop.run_forever()), daemon=True)
    thread.start()
    yield collector, topic, ports.get(timeout=20)
    asyncio.run_coroutine_threadsafe(collector.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(sorted(path for paths in PATHS.values() for path in paths)),
    query=queries,
    body=bodies,
    sent=headers,
)
def test_no_request_is_an_error_of_the_server(
    served: tuple[Collector, _Topic, int], path: str, query: str, body: bytes, sent: dict[str, str]
) -> None:
    collector, topic, port = served
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        named = {name.replace("_", "-"): value.strip() for name, value in sent.items()}
        connection.request("POST", f"{path}?{query}", body, named)
        assert connection.getresponse().status < 500
    assert topic.records == collector.counts.received


def test_every_web_analytics_protocol_is_fuzzed() -> None:
    for protocol, paths in PATHS.items():
        for path in paths:
            assert protocol in {route.protocol for route in listening(path)}
    assert set(PATHS) <= {route.protocol for route in ROUTES}
