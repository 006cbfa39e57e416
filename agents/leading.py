"""What several workers are asked, led by one of them: the one that has the first partition of ``hit_rows``, and so the
store. One request at a time, in their order.

What the leader writes to the topic ``erasures`` comes from a transactional producer: an owner that comes later shuts
the earlier one out and begins the request from its beginning, or from where it can be gone on with.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import itemgetter
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.hop import wall_ms
from pipeline.store.errors import StoreError
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.followed import Record
from pipeline.transport.kafka.known import step
from pipeline.transport.kafka.names import ERASURES
from pipeline.transport.kafka.transactions import PartitionLostError, Transactions
from schemas.erasure import Erasure, Place, Step
from schemas.topics import HIT_ROWS

LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Errand(Protocol):
    """A kind of request."""

    def pending(self) -> Iterable[tuple[int, str]]:
        """(number, name) of those that are not done."""

    async def do(self, name: str) -> None:
        """Bring it to its end: afterwards it is not pending any more."""


class Leader:
    """Leads for as long as the place is ours. Writes to ``control``'s topic."""

    def __init__(self, transport: Transport, control: Control) -> None:
        self.transport = transport
        self.control = control
        self._writing: Transactions | None = None
        self._steps = count(wall_ms())  # none is taken for one of an earlier leader

    async def watch(self, errands: Sequence[Errand], on_crash: Callable[[Exception], None]) -> None:
        """For ever: do what is asked for, while we are to. ``on_crash`` is told what cannot be gone on with."""
        try:
            while True:
                pending = [(*one, errand) for errand in errands for one in errand.pending()]
                if self.is_ours and pending:
                    _, name, errand = min(pending, key=itemgetter(0))
                    try:
                        await self._open()
                        await errand.do(name)
                    except (StoreError, KafkaError, PartitionLostError):  # the request is still there
                        _log.exception("what was asked could not be done, trying again")
                    except Exception as error:
                        on_crash(error)
                        return
                    finally:
                        await self._close()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._close()

    @property
    def is_ours(self) -> bool:
        """Do we have the partition whose owner leads?"""
        one = self.transport.owning.partitions.get(TP(self.name(HIT_ROWS.name), 0))
        return one is not None and one.is_ready

    async def let_pass(
        self,
        number: int,
        topics: Iterable[str],
        erasure: Erasure | None = None,
        *,
        partitions: int | None = None,
    ) -> list[dict[str, int]]:
        """Let what these topics hold now be consumed, and their readers forget the person; what they say of it."""
        ends: dict[str, list[int]] = {}
        for topic in topics:
            every = partitions or self.transport.partitions(topic)
            tps = {TP(self.name(topic), partition) for partition in range(every)}
            found = await self.transport.offsets.written(tps)
            ends[topic] = [found[tp] for tp in sorted(tps)]
        one = Step(number, next(self._steps), ends, erasure)
        await self.write([step(one)])
        places = [
            Place(one.number, one.at, topic, partition)
            for topic, of in ends.items()
            for partition in range(len(of))
        ]
        done = self.control.known.done
        await self.until(lambda: all(place in done for place in places))
        return [done[place] for place in places]

    async def until(self, is_so: Callable[[], object]) -> None:
        """PartitionLostError: it is not for us any more."""
        while not is_so():
            if not self.is_ours:
                raise PartitionLostError("another worker's now")
            await asyncio.sleep(LOOK_SECONDS / 5)

    async def _open(self) -> None:
        """Shut earlier ones out, then know all that they wrote."""
        names, options = self.transport.cluster.names, self.transport.cluster.options
        self._writing = Transactions(
            TopicPartition(self.name(ERASURES), 0),
            transactional_id=names.transactional_id(ERASURES, 0),
            group=names.group,
            options=options,
            on_commit=lambda _: None,
            on_lost=lambda _: None,
        )
        await self._writing.start()
        await self.control.settle()

    async def write(self, records: Sequence[Record]) -> None:
        """All or none of them. Known here, too, when it returns."""
        assert self._writing is not None, "not open"
        sent: Any = {(self.name(ERASURES), 0): list(records)}
        await self._writing.submit(sent, [], None)
        await self._writing.drain()
        await self.control.settle()

    async def _close(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing.close()

    def name(self, topic: str) -> str:
        """In the cluster, of a topic of ours."""
        return self.transport.cluster.names.topic(topic)
