"""How the pipeline fares, read from the metrics of the process: the very samples that Prometheus is given.

Seconds are seconds, counts are since the start of the process.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client.core import Metric

from pipeline.metrics import Metrics

_TOTALS: Final = (
    "masir_hits_total",
    "masir_consumer_lag_hits",
    "masir_dead_letters_total",
    "masir_sink_rows_total",
    "masir_sink_errors_total",
)
RATE_SECONDS = 5.0  # hits per second are a mean over so long


class Vitals:
    """Of one process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._totals = metrics.registry.restricted_registry(_TOTALS)

    def read(self, site: str) -> tuple[int, dict[str, Any]]:
        """Hits of the site ("": of all) since the start of the process, and the section ``health``."""
        sums = dict.fromkeys(_TOTALS, 0.0)
        hits = 0.0
        waiting: dict[str, int] = {}
        for sample in _samples(self._totals.collect()):
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
            if sample.name == "masir_hits_total" and site in ("", sample.labels["site"]):
                hits += sample.value
            if sample.name == "masir_consumer_lag_hits":
                hop = sample.labels["hop"]
                waiting[hop] = waiting.get(hop, 0) + int(sample.value)
        lags: dict[str, float] = {}
        for sample in _samples(self._metrics.watermarks.collect()):
            hop = sample.labels["hop"]
            lags[hop] = max(lags.get(hop, sample.value), sample.value)
        return int(hits), {
            "lags": {hop: round(lag) for hop, lag in lags.items()},
            "waiting": waiting,
            "dead_letters": int(sums["masir_dead_letters_total"]),
            "rows": int(sums["masir_sink_rows_total"]),
            "store_errors": int(sums["masir_sink_errors_total"]),
            "ledger_difference": self._metrics.upkeep.values.get("masir_ledger_difference_hits"),
        }


def _samples(families: Iterable[Metric]) -> Iterable[Any]:
    for family in families:
        yield from family.samples


class Rate:
    """A mean per second, of a total that rises, over the last RATE_SECONDS."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now_seconds: float, total: int) -> float:
        """Now that the total is ``total``. Before there is a second reading: 0."""
        seen = self._seen
        seen.append((now_seconds, total))
        while len(seen) > 2 and seen[1][0] <= now_seconds - RATE_SECONDS:
            seen.popleft()
        since, before = seen[0]
        return max(total - before, 0) / (now_seconds - since) if now_seconds > since else 0.0
