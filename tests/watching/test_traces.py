"""Traces: which hits are chosen, how units of work hang together, and the whole way of a hit to a real receiver."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from system.kit import hit, now_ms, post

from bench.running import Running, wait_for
from pipeline.settings import Settings, SettingsError
from pipeline.traces import Range, Traces, provider_to, start
from watching.listener import Listener

SET_BACK_MS = 5  # wall clocks are, now and then; and records know milliseconds only


class Seen:
    """Traces of every n-th hit, and the spans they came to."""

    def __init__(self, every: int) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = Traces(provider_to(SimpleSpanProcessor(self._exporter)), every)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def work(self, name: str, consumed: list[Range], sent: list[Range] = []) -> None:  # noqa: B006 (only read)
        self.traces.worked(name, consumed, sent, 5, 6)


def hits(first: int, end: int, partition: int = 0) -> Range:
    return Range("hits", partition, first, end)


@pytest.mark.parametrize(
    ("first", "end", "is_traced"),
    [(0, 1, True), (1, 10, False), (1, 11, True), (10, 11, True), (11, 20, False), (20, 20, False)],
)
def test_every_tenth_hit_of_a_partition_is_chosen(first: int, end: int, is_traced: bool) -> None:
    seen = Seen(10)
    seen.traces.collected(hits(first, end), 1, 2)
    seen.work("sessionizer", [hits(first, end)])
    assert [span.name for span in seen.spans] == (["collect", "sessionizer"] if is_traced else [])


def test_two_processes_agree_on_the_trace_without_a_word() -> None:
    collector, worker = Seen(1), Seen(1)
    collector.traces.collected(hits(7, 9), 1, 2)
    worker.work("sessionizer", [hits(7, 8)])
    (collect,), (work,) = collector.spans, worker.spans
    assert work.context.trace_id == collect.context.trace_id
    assert work.parent is not None
    assert work.parent.span_id == collect.context.span_id
    assert (collect.start_time, collect.end_time, work.start_time, work.end_time) == (1, 2, 5, 6)
    other = Seen(1)
    other.traces.collected(hits(7, 9, partition=1), 1, 2)
    assert other.spans[0].context.trace_id != collect.context.trace_id


def test_a_unit_belongs_to_the_oldest_trace_and_has_links_to_the_others() -> None:
    seen = Seen(1)
    seen.work("sessionizer", [hits(0, 5)], [Range("hit_rows", 0, 0, 2), Range("evidence", 1, 0, 1)])
    seen.work("sessionizer", [hits(5, 6)], [Range("hit_rows", 0, 2, 3)])
    seen.work("store", [Range("hit_rows", 0, 0, 3)])
    seen.work("journeys", [Range("evidence", 1, 0, 1)])
    first, second, store, journeys = seen.spans
    assert store.parent is not None
    assert store.parent.span_id == first.context.span_id
    assert [link.context.span_id for link in store.links] == [second.context.span_id]
    assert journeys.context.trace_id == first.context.trace_id


def test_what_was_sent_later_is_not_yet_consumed() -> None:
    seen = Seen(1)
    seen.work("sessionizer", [hits(0, 1)], [Range("hit_rows", 0, 0, 2)])
    seen.work("store", [Range("hit_rows", 0, 0, 1)])
    assert [span.name for span in seen.spans] == ["sessionizer"]
    seen.work("store", [Range("hit_rows", 0, 1, 2)])
    assert [span.name for span in seen.spans] == ["sessionizer", "store"]


def test_a_span_tells_places_and_counts_only() -> None:
    seen = Seen(1)
    seen.work("sessionizer", [hits(3, 5), hits(9, 10, partition=1)])
    assert dict(seen.spans[0].attributes or {}) == {
        "messaging.system": "masir",
        "messaging.destination.name": "hits",
        "messaging.destination.partition.id": "0",
        "masir.offset": 3,
        "messaging.batch.message_count": 3,
    }


def test_off_means_that_nothing_is_loaded() -> None:
    code = "import sys, agents.live, pipeline.collector.process; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert start(Settings()) is None
    assert start(Settings(traces_url="http://127.0.0.1:1", traces_share=0)) is None


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"pip install 'masir\[traces\]'"):
        start(Settings(traces_url="http://127.0.0.1:1"))


class Receiver(Listener):
    """Takes spans as an OpenTelemetry collector does: protobuf over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []

    def take(self, _: BaseHTTPRequestHandler, body: bytes) -> int:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as made:
        yield made


def test_a_hit_is_followed_from_the_collector_to_the_store(tmp_path: Path, receiver: Receiver) -> None:
    with Running(tmp_path / "data", traces_url=receiver.url, traces_share=1, partitions=1) as pipeline:
        post(
            pipeline,
            hit("secret-visitor", now_ms(), url="https://shop.example/pricing", user_id="ann@example.com"),
        )
        pipeline.wait_for_value("SELECT count() FROM hits", 1)
        pipeline.stop()
    wait_for(
        lambda: {span.name for span in receiver.spans} >= {"collect", "sessionizer", "store"}, "all spans"
    )
    of_id = {span.span_id: span for span in receiver.spans}
    (stored,) = [
        span
        for span in receiver.spans
        if span.name == "store" and any(a.value.string_value == "hit_rows" for a in span.attributes)
    ]
    worked = of_id[stored.parent_span_id]
    collected = of_id[worked.parent_span_id]
    assert [collected.name, worked.name] == ["collect", "sessionizer"]
    assert not collected.parent_span_id
    starts = [span.start_time_unix_nano // 1_000_000 for span in (collected, stored)]
    assert starts[0] - SET_BACK_MS <= starts[1] <= stored.end_time_unix_nano // 1_000_000 + SET_BACK_MS
    told = b"".join(span.SerializeToString() for span in receiver.spans)
    assert not any(word in told for word in (b"secret-visitor", b"ann@", b"pricing"))
