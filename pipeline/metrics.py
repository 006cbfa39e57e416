"""Every Prometheus metric of Masir: base units, closed label sets, fed once per batch, read at ``/metrics``.

Labels are bounded: the first 50 sites that come (those of the registry before all) and 16 channels keep their
names, the rest is summed under ``other``; sums first, ratios last. Never a person or a URL. Gauges of the journey come
from the counters' state and are whole again after a restart; totals start at zero with the process. What nothing has
fed, and a ratio of nothing, has no sample. Feeding is for one thread; ``expose`` may be called from another.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from platform import python_version
from typing import ClassVar

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline import person_metrics
from pipeline.core.counters import ALL, Gauges, SiteGauges
from pipeline.core.windows import WINDOWS, WindowSums
from pipeline.segment_metrics import Segments
from schemas.outcome import Outcome, Reason
from schemas.topics import DEAD_LETTERS

MAX_SITES = 50
MAX_CHANNELS = 16
OTHER = "other"
SINK = "store"  # the hop that writes rows
Clock = Callable[[], float]  # seconds
SECONDS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)

# else every total has a second series: when it began
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class BoundedNames:
    """First come, first named; a name stays. ``reserved`` names have their place from the start."""

    def __init__(self, limit: int, reserved: Iterable[str] = ()) -> None:
        self._names = set(list(dict.fromkeys(reserved))[:limit])
        self._limit = limit

    def claim(self, name: str) -> str:
        """The label for ``name``, which takes a place while there is one."""
        if len(self._names) < self._limit:
            self._names.add(name)
        return self.label(name)

    def label(self, name: str) -> str:
        return name if name in self._names else OTHER


class Journeys(Collector):
    """Gauges made, when they are asked for, of the newest snapshot of each partition of the counters."""

    def __init__(self, sites: BoundedNames) -> None:
        self.sites = sites
        self._channels = BoundedNames(MAX_CHANNELS + 1, (ALL, OTHER))
        self.snapshots: dict[int, Gauges] = {}

    def put(self, partition: int, gauges: Gauges) -> dict[str, SiteGauges]:
        changed = gauges.since(self.snapshots.get(partition))
        for site, state in changed.items():
            self.sites.claim(site)
            for channel in state.windows:
                self._channels.claim(channel)
        self.snapshots[partition] = gauges
        return changed

    def drop(self, partition: int) -> None:
        self.snapshots.pop(partition, None)

    def collect(self) -> Iterator[Metric]:
        active: dict[tuple[str, ...], int] = {}
        persons: dict[tuple[str, ...], int] = {}
        sums: dict[tuple[str, ...], WindowSums] = {}
        for gauges in list(self.snapshots.values()):
            for name, state in gauges.sites.items():
                site = self.sites.label(name)
                active[site,] = active.get((site,), 0) + state.active
                for (model, stage), count in state.persons.items():
                    persons[site, model, stage] = persons.get((site, model, stage), 0) + count
                for channel, windows in state.windows.items():
                    for window, part in zip(WINDOWS, windows, strict=True):
                        key = (site, self._channels.label(channel), window)
                        sums[key] = sums.get(key, WindowSums()).plus(part)
        yield _family("masir_active_sessions", "Sessions open now", "site", active)
        yield _family("masir_stage_persons", "Persons in the stage now", "site model stage", persons)
        yield from _window_families(sums)
        yield from person_metrics.families(list(self.snapshots.values()), self.sites.label)


def _window_families(sums: dict[tuple[str, ...], WindowSums]) -> Iterator[Metric]:
    labels = "site channel window"
    sessions = {key: of.sessions for key, of in sums.items()}
    yield _family("masir_sessions_closed", "Sessions closed in the window", labels, sessions)
    bounces = {key: of.bounce_ratio for key, of in sums.items()}
    yield _family("masir_bounce_ratio", "Bounces by sessions with a view", labels, bounces)
    conversions = {key: of.conversion_ratio for key, of in sums.items()}
    yield _family("masir_conversion_ratio", "Converted sessions by sessions", labels, conversions)
    durations = {key: of.mean_duration_seconds for key, of in sums.items()}
    yield _family("masir_session_duration_seconds", "Mean duration of the sessions", labels, durations)


def _family(name: str, text: str, labels: str, values: Mapping[tuple[str, ...], float | None]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels.split())
    for key, value in values.items():
        if value is not None:
            family.add_metric(key, value)
    return family


class Watermarks(Collector):
    """How far each watermark is behind the clock *now*: a hop that hangs says nothing, and its lag must grow."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[tuple[str, ...], tuple[float, float]] = {}

    def put(self, hop: str, partition: int, lag_seconds: float) -> None:
        self._said[hop, str(partition)] = lag_seconds, self._clock()

    def drop(self, hop: str, partition: int) -> None:
        self._said.pop((hop, str(partition)), None)

    def collect(self) -> Iterator[Metric]:
        now = self._clock()
        lags = {key: lag + now - at for key, (lag, at) in list(self._said.items())}
        yield _family("masir_watermark_lag_seconds", "Now less the watermark", "hop partition", lags)


class Upkeep(Collector):
    """What housekeeping measures, of the process as a whole. ``values``: metric -> value."""

    TEXTS: ClassVar = {
        "masir_ledger_difference_hits": "Hits taken less hits that have an outcome",
    }

    def __init__(self) -> None:
        self.values: dict[str, int | None] = {}

    def collect(self) -> Iterator[Metric]:
        for name, text in self.TEXTS.items():
            yield _family(name, text, "", {(): self.values.get(name)})


class Metrics:
    """The metrics of one process. ``sites``: those whose names are kept, whatever comes first."""

    def __init__(
        self, *, version: str, settings: str = "", sites: Iterable[str] = (), clock: Clock = time.monotonic
    ) -> None:
        self.registry = CollectorRegistry()
        self.watermarks = Watermarks(clock)
        self.upkeep = Upkeep()
        self.registry.register(self.watermarks)
        self.registry.register(self.upkeep)
        self.sites = BoundedNames(MAX_SITES, sites)
        self.journeys = Journeys(self.sites)
        self.registry.register(self.journeys)
        self.registry.register(Segments(self.journeys.snapshots, self.sites.label))
        self._sites_with_hits: set[str] = set()
        self._highs: dict[tuple[str, ...], int] = {}
        self._declare_journey()
        self._declare_hops()
        ProcessCollector(registry=self.registry)
        build = Info("masir_build", "What runs here", registry=self.registry)
        build.info({"version": version, "python": python_version(), "settings": settings})

    def hits(self, counts: Mapping[tuple[str, Outcome], int]) -> None:
        """Hits by (site, outcome). The site of a dead letter is not to be trusted, so it takes no label."""
        for (name, outcome), hits in counts.items():
            site = self.sites.label(name) if outcome is Outcome.DEAD_LETTER else self.sites.claim(name)
            if site not in self._sites_with_hits:
                self._sites_with_hits.add(site)
                for each in Outcome:
                    self._hits.labels(site, each.value)  # from zero, so that the first increase shows
            self._hits.labels(site, outcome.value).inc(hits)

    def publish(self, partition: int, gauges: Gauges) -> None:
        """Show the counters of a partition. The first time they are restored: another process has counted those."""
        restored = partition not in self.journeys.snapshots
        for site, state in self.journeys.put(partition, gauges).items():
            label = self.sites.label(site)
            for step, net in state.transitions.items():
                self._rise(self._transitions, (label, *step), (site, *step), net, restored=restored)
            for reason, (_, raised) in state.risks.items():
                self._rise(self._churn_signals, (label, reason), (site, reason), raised, restored=restored)

    def _rise(
        self, total: Counter, labels: tuple[str, ...], name: tuple[str, ...], net: int, *, restored: bool
    ) -> None:
        """A total must not fall: what was taken back is made up for before it rises again."""
        high = net if restored else self._highs.get(name, 0)
        if net > high:
            total.labels(*labels).inc(net - high)
        self._highs[name] = max(net, high)

    def dead_letters(self, hop: str, counts: Mapping[Reason, int]) -> None:
        for reason, letters in counts.items():
            self._dead_letters.labels(hop, reason.value).inc(letters)

    def mended(self, *, unknown_fields: int, cut_urls: int) -> None:
        """Hits that are taken though not all of what they say is."""
        self._mended.labels("unknown_field").inc(unknown_fields)
        self._mended.labels("cut_url").inc(cut_urls)

    def watermark(self, hop: str, partition: int, lag_seconds: float) -> None:
        """``lag_seconds``: now less the watermark; it grows by itself until the next call."""
        self.watermarks.put(hop, partition, lag_seconds)

    def consumer_lag(self, hop: str, partition: int, hits: int) -> None:
        """Records of the topic that the hop has not read yet."""
        self._consumer_lag.labels(hop, str(partition)).set(hits)

    def end_to_end(self, hop: str, seconds: Iterable[float]) -> None:
        """From the collector's receipt to the end of ``hop``; the oldest hit of each batch is enough."""
        histogram = self._end_to_end.labels(hop)
        for age in seconds:
            histogram.observe(age)

    def links_refused(self, links: int) -> None:
        self._refused.inc(links)

    def history_missed(self, hop: str, touchpoints: int) -> None:
        self._missed.labels(hop).inc(touchpoints)

    def sink_rows(self, table: str, rows: int) -> None:
        self._sink_rows.labels(SINK, table).inc(rows)

    def sink_error(self, table: str) -> None:
        self._sink_errors.labels(SINK, table).inc()

    def ledger_difference(self, hits: int | None) -> None:
        """Positive: hits that have no outcome. Negative: outcomes that have no hit. None: another worker says it."""
        self.upkeep.values["masir_ledger_difference_hits"] = hits

    def webhook(self, outcome: str) -> None:
        """One attempt to deliver a signal: ``delivered``, ``refused``, ``given_up`` or ``retried``."""
        self._webhook.labels(outcome).inc()

    def revoke(self, hop: str, partition: int) -> None:
        """Another worker has the partition now: its gauges are that worker's to show."""
        self.watermarks.drop(hop, partition)
        self._consumer_lag.remove(hop, str(partition))
        if hop == "counters":
            self.journeys.drop(partition)

    def register(self, collector: Collector) -> None:
        """Show what somebody else counts, too."""
        self.registry.register(collector)

    def expose(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)

    def _declare_journey(self) -> None:
        """Those without underscore are fed by the hops that know them."""
        self._hits = self._counter("masir_hits_total", "Hits by what became of them", "site outcome")
        self._transitions = self._counter(
            "masir_stage_transitions_total", "Persons who changed stage", "site model from_stage to_stage"
        )
        self._mended = self._counter("masir_hits_mended_total", "Hits of which not all is taken", "what")
        self._refused = self._counter("masir_links_refused_total", "Visitors a user has too many", "")
        self._missed = self._counter("masir_history_missed_total", "Touchpoints too old to be placed", "hop")
        self._churn_signals = self._counter("masir_churn_signals_total", "Signals raised", "site reason")
        self.customer_lifetime_value = self._gauge(
            "masir_customer_lifetime_value", "Mean value of a customer, in the currency", "site currency"
        )
        self.cost_per_acquisition = self._gauge(
            "masir_cost_per_acquisition", "Cost of a conversion, in the currency", "site channel currency"
        )

    def _declare_hops(self) -> None:
        self._consumer_lag = self._gauge("masir_consumer_lag_hits", "Records not read yet", "hop partition")
        self._end_to_end = Histogram(
            "masir_end_to_end_seconds",
            "From the receipt of a hit to the end of the hop",
            ["hop"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._dead_letters = self._counter(
            "masir_dead_letters_total", "Hits that were not read", "hop reason"
        )
        for reason in Reason:
            self._dead_letters.labels(DEAD_LETTERS.writer, reason.value)
        self._sink_rows = self._counter("masir_sink_rows_total", "Rows written", "hop table")
        self._sink_errors = self._counter("masir_sink_errors_total", "Writes that failed", "hop table")
        self._webhook = self._counter(
            "masir_webhook_attempts_total", "Attempts to deliver a signal", "outcome"
        )

    def _counter(self, name: str, text: str, labels: str) -> Counter:
        return Counter(name, text, labels.split(), registry=self.registry)

    def _gauge(self, name: str, text: str, labels: str) -> Gauge:
        return Gauge(name, text, labels.split(), registry=self.registry)
