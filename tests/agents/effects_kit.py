"""One ordered list of everything a hop does to the world: what it sends, inserts, commits and counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from agents.hop import Context
from pipeline.metrics import Metrics
from pipeline.store.errors import StoreUnavailableError
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.log import Log
from pipeline.transport.state import StateStore

NOON = 1_767_268_800_000
PARTITIONS = 4


class Sent(NamedTuple):
    """Records for a partition; not yet visible."""

    topic: str
    partition: int
    values: int


class Committed(NamedTuple):
    """``batches``: (topic, partition, next offset). ``states``: names of what was written back."""

    batches: list[tuple[str, int, int]]
    states: list[str]


class Inserted(NamedTuple):
    """Rows that the store has taken."""

    table: str
    rows: int
    token: str


class Refused(NamedTuple):
    """Rows that the store has not taken."""

    table: str


class Counted(NamedTuple):
    """A metric was fed."""

    metric: str


class World:
    """A transport, a sink and metrics that write down what happens. ``refusals``: of the first inserts."""

    def __init__(self, *, refusals: Sequence[Exception] = ()) -> None:
        self.effects: list[NamedTuple] = []
        self.sent: list[tuple[str, int, bytes]] = []
        self.now_ms = NOON
        self.refusals = list(refusals)
        self.is_commit_broken = False
        self.away: dict[str, str] = {}
        self._log = Log(Path(":memory:"))

    @property
    def context(self) -> Context:
        return Context(self, cast(Metrics, _Metrics(self.effects)), lambda: self.now_ms, self.away)

    def unit(self) -> "_Unit":
        return _Unit(self)

    def state(self, store: str, partition: int) -> StateStore:
        return StateStore(self._log, store, partition)

    def journal(self, store: str, partition: int) -> Journal:
        return Journal(self._log, store, partition)

    def partitions(self, topic: str) -> int:
        assert topic
        return PARTITIONS

    def insert(self, table: str, block: Any, token: str) -> int:
        """As :meth:`pipeline.store.sink.Sink.insert`."""
        if self.refusals:
            self.effects.append(Refused(table))
            raise self.refusals.pop(0)
        self.effects.append(Inserted(table, block.num_rows, token))
        return int(block.num_rows)

    def taken(self) -> list[NamedTuple]:
        """What has happened since the last time."""
        effects = list(self.effects)
        self.effects.clear()
        return effects

    def write(self, stores: Sequence[StateStore | Journal]) -> None:
        with self._log.transaction():
            for store in stores:
                store.write_changes()


class _Unit:
    def __init__(self, world: World) -> None:
        self._world = world
        self._sent: list[tuple[str, int, bytes]] = []

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        if values:
            self._world.effects.append(Sent(topic, partition, len(values)))
            self._sent += [(topic, partition, value) for value in values]

    async def commit(
        self, batches: Sequence[Batch], stores: Sequence[StateStore | Journal], *, now_ms: int
    ) -> None:
        assert now_ms == self._world.now_ms
        if self._world.is_commit_broken:
            raise OSError("the disk is gone")
        self._world.write(stores)
        self._world.sent += self._sent
        consumed = [(batch.topic, batch.partition, batch.next_offset) for batch in batches]
        self._world.effects.append(Committed(consumed, [store.store for store in stores]))


class _Metrics:
    def __init__(self, effects: list[NamedTuple]) -> None:
        self._effects = effects

    def __getattr__(self, name: str) -> Any:
        assert hasattr(Metrics, name), f"no such metric: {name}"
        return lambda *_: self._effects.append(Counted(name))


def away() -> StoreUnavailableError:
    """The store is away."""
    return StoreUnavailableError("away")


def batch(
    topic: str,
    values: Sequence[bytes] = (),
    *,
    partition: int = 0,
    first: int = 0,
    is_final: bool = False,
    is_caught_up: bool = True,
) -> Batch:
    """A batch as the driver hands it out; without values a tick."""
    offsets = range(first, first + len(values))
    return Batch(
        topic=topic,
        partition=partition,
        values=list(values),
        timestamps=[NOON] * len(values),
        offsets=offsets,
        next_offset=first + len(values),
        is_caught_up=is_caught_up,
        is_final=is_final,
        on_release=lambda _: None,
    )
