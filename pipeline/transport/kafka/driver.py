"""Faust transport driver for batches from Kafka: ``faust.App(broker="kafka+batch://host:9092")``.

Built on Faust's own aiokafka driver. What differs is what faust-streaming 0.15.3 gets wrong when a message stands for
many records: see :class:`pipeline.transport.kafka.consumer.Consumer`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import CommitFailedError, IllegalStateError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from pipeline.transport.kafka.consumer import Consumer
from pipeline.transport.kafka.memory import KafkaJournal, KafkaState, Memory
from pipeline.transport.kafka.names import STORES, Names
from pipeline.transport.kafka.offsets import Offsets
from pipeline.transport.kafka.owning import Owning
from pipeline.transport.kafka.partition import Partition
from pipeline.transport.kafka.transactions import PartitionLostError
from pipeline.transport.kafka.unit import KafkaUnit
from pipeline.transport.rows import Cold

MOST_RECORDS = 5_000  # of one batch: keeps a unit of work, which holds the event loop, well under 0.2 s


class Cluster(NamedTuple):
    """``options``: of aiokafka's clients. ``partitions``: how many each topic has, by its bare name. ``cold``: where
    rows of state go that are too many for the memory; None: all stay there.
    """

    names: Names
    options: dict[str, Any]
    partitions: Mapping[str, int]
    cold: Cold | None = None


class Producer(stock.Producer):
    """For Faust itself, which sends nothing: units of work have producers of their own."""

    transport: "Transport"

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        return AIOKafkaProducer(**self.transport.cluster.options)


class Transport(stock.Transport):
    """What agents ask for: see agents.hop. :meth:`join` before the app starts."""

    Consumer = Consumer
    Producer = Producer
    driver_version = f"batch, {stock.Transport.driver_version}"

    cluster: Cluster
    offsets: Offsets
    owning: Owning
    most_records = MOST_RECORDS

    def join(self, cluster: Cluster) -> None:
        """Say where the cluster is."""
        self.cluster = cluster
        self.offsets = Offsets(cluster.names.group, cluster.options)
        self.owning = Owning(cluster.names, cluster.options, self.offsets, cluster.cold)
        self.owning.on_ready = self._wake

    def _wake(self) -> None:
        self.app.consumer.wake()

    def unit(self) -> KafkaUnit:
        """A new unit of work."""
        return KafkaUnit(self.cluster.names, self._commit_as_member, self._owner_of)

    def state(self, store: str, partition: int) -> KafkaState:
        """What a hop remembers by key under the name ``store``."""
        memory = self._memory(store, partition)
        assert isinstance(memory, KafkaState), store
        return memory

    def journal(self, store: str, partition: int) -> KafkaJournal:
        """What a hop remembers as numbered entries under the name ``store``."""
        memory = self._memory(store, partition)
        assert isinstance(memory, KafkaJournal), store
        return memory

    def _memory(self, store: str, partition: int) -> Memory:
        (known,) = (known for known in STORES if known.name == store)
        one = self.owning.partitions.get(TP(self.cluster.names.topic(known.topic.name), partition))
        if one is None or store not in one.memory:
            raise PartitionLostError(f"{known.topic.name}-{partition}: another worker's now")
        return one.memory[store]

    def _owner_of(self, memory: Memory) -> Partition:
        for one in self.owning.partitions.values():
            if any(memory is known for known in one.memory.values()):
                return one
        raise PartitionLostError(f"{memory.topic}: another worker's now")

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; KeyError if there is no such topic."""
        return self.cluster.partitions[topic]

    async def lags(self) -> dict[tuple[str, int], int]:
        """Records that are not committed yet, of each (topic, partition) that this worker has."""
        owned = {tp: one.committed for tp, one in self.owning.partitions.items() if one.is_ready}
        ends = await self.offsets.ends(set(owned))
        bare, still = self.cluster.names.bare, self.owning.partitions
        return {
            (bare(tp.topic), tp.partition): ends[tp] - committed
            for tp, committed in owned.items()
            if tp in still  # what is lost meanwhile is another worker's to report
        }

    async def _commit_as_member(self, consumed: Sequence[tuple[Partition, int]]) -> None:
        offsets: dict[TP, int] = {}
        for one, offset in consumed:
            offsets[one.tp] = max(offset, offsets.get(one.tp, 0))
        try:
            await self.app.consumer._thread.commit_as_member(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            raise PartitionLostError(str(error)) from error
        for one, offset in consumed:
            one.committed = max(offset, one.committed)
