"""What the hops share: the transport as they see it, and the clock, which only agents may ask."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct, field

from agents.erasures import Erasures
from pipeline.core.site_rules import SiteRules
from pipeline.metrics import Metrics
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.state import StateStore


class Unit(Protocol):
    """A unit of work: nothing has happened before :meth:`commit`, everything after it."""

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None: ...

    async def commit(
        self, batches: Sequence[Batch], stores: Sequence[StateStore | Journal], *, now_ms: int
    ) -> None: ...


class Transport(Protocol):
    """What an agent asks of the transport; the same over SQLite and over Kafka."""

    def unit(self) -> Unit: ...

    def state(self, store: str, partition: int) -> StateStore: ...

    def journal(self, store: str, partition: int) -> Journal: ...

    def partitions(self, topic: str) -> int: ...


class Hop(Protocol):
    """An agent's handler: one batch at a time, its unit of work committed before the next."""

    async def handle(self, batch: Batch) -> None: ...


def wall_ms() -> int:
    """Wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


class Context(Struct):
    """What every hop is given. ``away``: what a hop waits for now (the store), and why. ``erasures``: who is to be
    forgotten. ``sites``: what single sites want otherwise.
    """

    transport: Transport
    metrics: Metrics
    now_ms: Callable[[], int] = wall_ms
    away: dict[str, str] = {}
    erasures: Erasures = field(default_factory=Erasures)
    sites: SiteRules = field(default_factory=SiteRules)
