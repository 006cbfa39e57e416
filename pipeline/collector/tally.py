"""What the collectors of one machine have counted, together, as Prometheus metrics. Labels are closed lists."""

from collections.abc import Callable, Iterator

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.collector.sites.registry import Denial


class Tally(Struct):
    """Since the start of a process; ``spooled``: hits that wait in the spool now."""

    requests: int = 0
    received: int = 0
    refused: int = 0
    barred: int = 0
    turned_away: int = 0
    denied: dict[str, int] = {}
    spooled: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """The counts of both."""
        reasons = self.denied.keys() | other.denied.keys()
        denied = {reason: self.denied.get(reason, 0) + other.denied.get(reason, 0) for reason in reasons}
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__struct_fields__
            if name != "denied"
        }
        return Tally(denied=denied, **sums)


class TallyMetrics(Collector):
    """Asks for the tally when it is asked itself."""

    def __init__(self, tally: Callable[[], Tally]) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        tally = self._tally()
        yield _counter("masir_collector_requests", "Requests of hits", tally.requests)
        yield _counter(
            "masir_collector_turned_away", "Requests of which nothing was taken", tally.turned_away
        )
        hits = CounterMetricFamily("masir_collector_hits", "Hits by what the door did", labels=["outcome"])
        taken = tally.received - tally.refused
        for outcome, count in (("taken", taken), ("refused", tally.refused), ("barred", tally.barred)):
            hits.add_metric([outcome], count)
        yield hits
        denied = CounterMetricFamily(
            "masir_collector_denied", "Who was not let in, and why", labels=["reason"]
        )
        for denial in Denial:
            denied.add_metric([denial.value], tally.denied.get(denial.value, 0))
        yield denied
        spooled = GaugeMetricFamily("masir_spool_hits", "Hits that wait for the topic to come back")
        spooled.add_metric([], tally.spooled)
        yield spooled


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text)
    family.add_metric([], value)
    return family
