"""OpenTelemetry traces, from the collector to the store: which step a hit waited in. Off, nothing of it is loaded.

Hits are chosen by their place: every n-th of a partition of the topic ``hits``, so that each process knows by itself
which they are, and under which trace. A span is a publish of the collector or a unit of work of a hop. It belongs to
the trace of the oldest chosen hit in its input and has links to the traces of the others. What a unit of work sent is
remembered by topic, partition and offset until it is consumed: that works within one process. Over Kafka its records
carry the name of the span. Times are ns.

Attributes are topic, partition, offsets and counts: nothing of a person.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.settings import Settings, SettingsError
from schemas.topics import HITS

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

COLLECT: Final = "collect"
MOST_LINKS: Final = 32
MOST_REMEMBERED: Final = 256  # sent and not consumed yet, a partition: what is more has no trace
SERVICE: Final = "masir"


class Range(NamedTuple):
    """Records of a partition: offsets from ``first`` up to and not including ``end``."""

    topic: str
    partition: int
    first: int
    end: int


class Traces:
    """Made by :func:`start`. ``every``: one hit of so many is traced."""

    def __init__(self, provider: Any, every: int) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE)
        self._every = every
        self._sent: dict[tuple[str, int], deque[tuple[int, SpanContext]]] = defaultdict(
            lambda: deque(maxlen=MOST_REMEMBERED)
        )

    def collected(self, appended: Range, start_ns: int, end_ns: int) -> None:
        """The collector has appended these hits."""
        offset = self._chosen(appended)
        if offset is not None:
            self._provider.id_generator.next_ids = _ids(appended.partition, offset)
            span = self._tracer.start_span(COLLECT, start_time=start_ns, attributes=_attributes([appended]))
            span.end(end_ns)

    def worked(
        self, name: str, consumed: Sequence[Range], sent: Iterable[Range], start_ns: int, end_ns: int
    ) -> None:
        """A hop has committed a unit of work. One without a chosen hit has no span."""
        span = self._start(name, consumed, [one for of in consumed for one in self._contexts(of)], start_ns)
        if span is None:
            return
        span.end(end_ns)
        for one in sent:
            self._sent[one.topic, one.partition].append((one.end, span.get_span_context()))

    def begun(
        self, name: str, consumed: Sequence[Range], carried: Iterable[bytes], start_ns: int
    ) -> tuple[Any, bytes] | None:
        """A hop has begun a unit of work: its span, to be ended, and what the records that it sends carry. ``carried``:
        by those that it consumed.
        """
        contexts = [_context(int.from_bytes(one[:16]), int.from_bytes(one[16:])) for one in carried]
        contexts += [one for of in consumed if of.topic == HITS.name for one in self._contexts(of)]
        span = self._start(name, consumed, contexts, start_ns)
        if span is None:
            return None
        own = span.get_span_context()
        return span, own.trace_id.to_bytes(16) + own.span_id.to_bytes(8)

    def _start(
        self, name: str, consumed: Sequence[Range], contexts: "Sequence[SpanContext]", start_ns: int
    ) -> Any:
        """None: nothing of it is traced."""
        from opentelemetry.trace import Link, NonRecordingSpan, set_span_in_context

        if not contexts:
            return None
        parent, *others = contexts
        return self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(parent)),
            links=[Link(context) for context in others[:MOST_LINKS]],
            start_time=start_ns,
            attributes=_attributes(consumed),
        )

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()

    def _contexts(self, consumed: Range) -> "list[SpanContext]":
        if consumed.topic == HITS.name:
            offset = self._chosen(consumed)
            return [] if offset is None else [_context(*_ids(consumed.partition, offset))]
        waiting = self._sent[consumed.topic, consumed.partition]
        found = []
        while waiting and waiting[0][0] <= consumed.end:
            found.append(waiting.popleft()[1])
        return found

    def _chosen(self, records: Range) -> int | None:
        """The first chosen offset among the records."""
        offset = -(-records.first // self._every) * self._every
        return offset if offset < records.end else None


def start(settings: Settings) -> Traces | None:
    """Traces as the settings say; None: none. Raises SettingsError when the packages for it are not installed."""
    if not settings.traces_url or not settings.traces_share:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"traces_url needs more packages: pip install 'masir[traces]' ({error})"
        ) from error
    exporter = OTLPSpanExporter(endpoint=settings.traces_url)
    return Traces(provider_to(BatchSpanProcessor(exporter)), max(1, round(1 / settings.traces_share)))


def provider_to(processor: Any) -> Any:
    """A provider of tracers whose spans go to ``processor``; each of them is recorded, the choice is made before."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    class Ids(RandomIdGenerator):
        """Random, but for the next span when its ids are set."""

        next_ids: tuple[int, int] | None = None

        def generate_trace_id(self) -> int:
            return self.next_ids[0] if self.next_ids else super().generate_trace_id()

        def generate_span_id(self) -> int:
            ids, self.next_ids = self.next_ids, None
            return ids[1] if ids else super().generate_span_id()

    resource = Resource.create({SERVICE_NAME: SERVICE})
    provider = TracerProvider(
        sampler=ALWAYS_ON, resource=resource, id_generator=Ids(), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    return provider


def _ids(partition: int, offset: int) -> tuple[int, int]:
    """Trace and span of the collector, made of the hit's place: the same in every process."""
    digest = blake2b(f"{HITS.name} {partition} {offset}".encode(), digest_size=24).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:]) or 1


def _context(trace_id: int, span_id: int) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _attributes(consumed: Sequence[Range]) -> dict[str, str | int]:
    first = consumed[0]
    return {
        "messaging.system": SERVICE,
        "messaging.destination.name": first.topic,
        "messaging.destination.partition.id": str(first.partition),
        "masir.offset": first.first,
        "messaging.batch.message_count": sum(one.end - one.first for one in consumed),
    }
