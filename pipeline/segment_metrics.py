"""Gauges of sessions by segment, where the setting ``window_segments`` asks for them: the windows cut once more.

They are made of the counters' measures (``pipeline.core.windows.sum_segments``) when they are asked for. Labels are
bounded: of each dimension the values that come first, the most frequent of them before the others, keep their names;
the rest is summed under ``other``. A session without a value is in ``unknown``. Without the setting there is no sample.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.core.counters import Gauges
from pipeline.core.windows import SEGMENT, WINDOWS, WindowSums

MOST_VALUES: Final = 16
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
Part = tuple[str, str, str, Sequence[Sequence[int]]]  # site, dimension, value, sums by window
_LABELS: Final = ("site", "dimension", "segment", "window")
_FIGURES: Final[tuple[tuple[str, str, Callable[[WindowSums], float | None]], ...]] = (
    ("masir_segment_sessions_closed", "Sessions closed in the window", lambda of: of.sessions),
    ("masir_segment_bounce_ratio", "Bounces by sessions with a view", lambda of: of.bounce_ratio),
    ("masir_segment_conversion_ratio", "Converted sessions by sessions", lambda of: of.conversion_ratio),
    (
        "masir_segment_session_duration_seconds",
        "Mean duration of the sessions",
        lambda of: of.mean_duration_seconds,
    ),
)


class Segments(Collector):
    """``snapshots``: of each partition of the counters. ``label``: the name of a site on a metric."""

    def __init__(self, snapshots: Mapping[int, Gauges], label: Callable[[str], str]) -> None:
        self._snapshots = snapshots
        self._label = label
        self._named: dict[str, set[str]] = {}  # dimension -> values that have a name

    def collect(self) -> Iterator[Metric]:
        """As Prometheus asks for it."""
        said = list(self._said())
        self._claim_names(said)
        sums: dict[tuple[str, ...], WindowSums] = {}
        for site, dimension, value, windows in said:
            segment = value if value in self._named[dimension] else OTHER
            for window, part in zip(WINDOWS, windows, strict=True):
                key: tuple[str, ...] = (self._label(site), dimension, segment or UNKNOWN, window)
                sums[key] = sums.get(key, WindowSums()).plus(part)
        for metric, text, figure in _FIGURES:
            family = GaugeMetricFamily(metric, text, labels=_LABELS)
            for key, of_window in sums.items():
                ratio = figure(of_window)
                if ratio is not None:
                    family.add_metric(key, ratio)
            yield family

    def _said(self) -> Iterator[Part]:
        for gauges in list(self._snapshots.values()):
            for site, state in gauges.sites.items():
                for name, windows in state.measures.items():
                    if name.startswith(SEGMENT):
                        _, dimension, value = name.split(SEGMENT, 2)
                        yield site, dimension, value, windows

    def _claim_names(self, said: Iterable[Part]) -> None:
        """A name stays, once it is given."""
        sessions: Counter[tuple[str, str]] = Counter()
        for _, dimension, value, windows in said:
            sessions[dimension, value] += windows[-1][0]
        for dimension, value in sorted(sessions, key=lambda one: (-sessions[one], one)):
            named = self._named.setdefault(dimension, {""})
            if len(named) <= MOST_VALUES:
                named.add(value)
