"""What the hops of one of several workers know of erasures: what the topic ``erasures`` says.

A step names, for each partition of some topics, the offset up to which records must have been consumed. Whoever has
the partition lets its hop forget the person in the first unit of work behind that offset, if the step is to forget
somebody, and says that it is done when everything up to there is committed. A partition that moves before that is done
again by its next owner, which changes nothing.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from agents.erasures import Erasures
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.followed import RETRY_SECONDS
from pipeline.transport.kafka.known import done
from pipeline.transport.kafka.names import INPUTS
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from pipeline.transport.kafka.transactions import PartitionLostError
from schemas.erasure import Erasure, Place

_log = logging.getLogger(__name__)


class SharedErasures(Erasures):
    """``control`` is started before, and stopped after, the hops."""

    def __init__(self, transport: Transport, control: Control) -> None:
        super().__init__()
        self._transport = transport
        self._control = control
        self._reached: dict[tuple[str, int], Place] = {}  # (hop, partition) that is to forget somebody now
        self._saying: dict[Place, asyncio.Task[None]] = {}
        control.on_change = self._changed
        self._changed()

    async def stop(self) -> None:
        """Say nothing more."""
        for task in self._saying.values():
            task.cancel()
        if self._saying:
            await asyncio.wait(self._saying.values())

    def _changed(self) -> None:
        known = self._control.known
        self.suppressed.put(known.key, known.suppressed)

    def arrived(self, hop: str, batch: KafkaBatch) -> None:
        """The hop begins with this batch."""
        step, owner = self._control.known.step, batch.owner
        if step is None or batch.partition >= len(step.ends.get(batch.topic, ())):
            return
        place = Place(step.number, step.at, batch.topic, batch.partition)
        if place in self._control.known.done or place in self._saying:
            return
        begin = batch.next_offset if batch.is_tick else batch.offsets[0]
        end = step.ends[batch.topic][batch.partition]
        if step.erasure is not None:
            if begin >= end:
                self._reached[hop, batch.partition] = place
        elif batch.topic in INPUTS:
            if begin >= end:
                self._say(place, self._committed(owner, place))
        elif owner.committed >= end or (begin >= end and owner.is_done):
            self._say(place, self._add(place, {}))

    def due(self, hop: str, partition: int) -> Erasure | None:
        """Whom the hop is to forget in this partition now."""
        place, step = self._reached.get((hop, partition)), self._control.known.step
        if place is None or step is None or (place.number, place.at) != (step.number, step.at):
            return None
        return step.erasure

    def done(self, hop: str, partition: int) -> None:
        """The unit of work is handed in; it is said when it is committed."""
        place = self._reached.pop((hop, partition))
        tp = TP(self._transport.cluster.names.topic(place.topic), partition)
        owner = self._transport.owning.partitions.get(tp)
        if owner is not None:
            self._say(place, self._committed(owner, place))

    async def _committed(self, owner: Partition, place: Place) -> None:
        if owner.transactions is not None:
            try:
                await owner.transactions.catch_up()
            except PartitionLostError:
                return
        await self._add(place, self.removed)

    async def _add(self, place: Place, removed: dict[str, int]) -> None:
        while True:
            try:
                await self._control.add([done(place, removed)])
                await self._control.until(lambda: place in self._control.known.done)
                return
            except KafkaError as error:
                _log.warning("that somebody is erased cannot be said, trying again: %r", error)
                await asyncio.sleep(RETRY_SECONDS)

    def _say(self, place: Place, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._saying[place] = task
        task.add_done_callback(lambda _: self._saying.pop(place, None))
