"""What the plain Faust jobs share: the hit as they read it, the topic, and the clock from first hit to last."""

# mypy: disable-error-code="misc, call-arg"
# (Faust has no types.)

import asyncio

import faust

from bench.process import Measure, Stopwatch
from pipeline.transport.kafka.names import Names
from schemas.topics import HITS

PREFIX = "bench"  # of the topics that all jobs over Kafka share
HITS_TOPIC = Names(PREFIX).topic(HITS.name)
PARTITIONS = 4
TIMEOUT_MS = 1_800_000


class Hit(faust.Record, serializer="json"):
    site: str
    event: str
    visitor_id: str
    hit_id: str
    time: int
    url: str
    referrer: str
    title: str
    user_agent: str
    language: str


class Progress:
    """Counts the hits that are done, and measures from the first to the last."""

    def __init__(self, hits: int) -> None:
        self.hits, self.seen = hits, 0
        self._has_begun = False
        self.done = asyncio.Event()
        self._stopwatch = Stopwatch()

    def begin(self) -> None:
        """The first hit has come; later calls do nothing."""
        if not self._has_begun:
            self._has_begun = True
            self._stopwatch.__enter__()

    def add(self, hits: int = 1) -> None:
        self.begin()
        self.seen += hits
        if self.seen >= self.hits:
            self._stopwatch.__exit__(None, None, None)
            self.done.set()

    def measure(self) -> Measure:
        return self._stopwatch.measure(self.hits)
