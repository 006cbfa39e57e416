"""Which stage models this worker's hops match by, and what it does while their history is made anew: see
``agents.shared_rebuilding``, whose phases it follows.

The topic ``erasures`` says which models are in force, for all workers. A worker with other files is refused, unless a
rebuild was asked with files like its own: then its partitions of hits and evidence wait until those are in force. From
SWITCH on, evidence says its epoch. A partition of the evidence waits from PREPARE until it is made anew, by its owner,
in one unit of work; evidence of an earlier epoch that comes after is left out: its hits were among the stored ones.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError

from agents.history import History, Since
from agents.hop import Hop
from agents.hops import load_models
from agents.journeys import Journeys
from agents.owned import OwnedHop
from agents.sessionizer import Sessionizer
from agents.shared_rebuilding import OF_MODEL
from pipeline.core.model_check import ModelError
from pipeline.core.models import Models, changed_models, rebuild_of
from pipeline.settings import Settings, SettingsError
from pipeline.store.client import Client
from pipeline.store.errors import StoreError
from pipeline.store.place import reader_of
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.followed import Record
from pipeline.transport.kafka.known_models import CUT, in_force, part
from pipeline.transport.kafka.names import ERASURES
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from schemas.rebuild import PREPARE, REMAKE, SWITCH, InForce, Part, Phase
from schemas.topics import EVIDENCE, HITS

LOOK_SECONDS = 0.2
RETRY_SECONDS = 1.0
WAITING = {HITS.name, EVIDENCE.name}
_log = logging.getLogger(__name__)


class SharedModels:
    """``models``: of the files as they were when last read. ``client``: None where the worker writes no rows."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        control: Control,
        models: Models,
        client: Client | None,
    ) -> None:
        self.models = models
        self.journeys: OwnedHop | None = None  # where this worker runs them
        self._settings = settings
        self._transport = transport
        self._control = control
        self._known = control.models
        self._client = client
        self._looked = -1  # epoch that the files were read again for
        self._told: dict[Part, Partition] = {}  # what has been handed in, and for which partition

    def check(self) -> bool:
        """Are this worker's models in force? False: they are to be. :class:`SettingsError`: neither."""
        force = self._known.in_force
        if force is None or force.digests == self.models.digests:
            return True
        if force.epoch != self._looked:  # they have come into force since
            self._looked, self.models = force.epoch, load_models(self._settings)
        changed = changed_models(force.digests, self.models.digests)
        if changed and not any(one.digests == self.models.digests for one in self._known.requests.values()):
            raise SettingsError(
                f"models: {', '.join(changed)}: not as the workers' history was made with. Put them back, or make it "
                f"anew: {rebuild_of(changed)}"
            )
        return not changed

    def is_held(self, one: Partition) -> bool:
        """Are its batches to wait?"""
        topic = self._bare(one)
        if topic not in WAITING:
            return False
        force, phase = self._known.in_force, self._known.phase
        if force is not None and force.digests != self.models.digests:
            return True
        return (
            topic == EVIDENCE.name
            and phase is not None
            and Part(phase.number, REMAKE, topic, one.tp.partition) not in self._known.parts
        )

    async def before_reading(self, one: Partition) -> None:
        """Know what earlier owners of the partition have said of it."""
        await self._control.catch_up()
        if self._known.phase is not None and self._bare(one) in WAITING:
            await self._control.settle()

    async def before(self, hop: Hop, batch: KafkaBatch) -> None:
        """The hop begins with this batch."""
        if isinstance(hop, Sessionizer | Journeys) and not self.check():
            raise SettingsError("models: changed again while their history is made anew; put them back")
        if isinstance(hop, Sessionizer):
            await self._match(hop, batch)
        elif isinstance(hop, Journeys):
            hop.use(self.models)
            if self._known.in_force is None and batch.partition == 0:
                hop.take_up(0)  # its state is of these models, or there is none yet
                mine = Part(0, "", EVIDENCE.name, 0)
                await self._tell_once(mine, batch.owner, in_force(InForce(0, self.models.digests)))

    async def _match(self, hop: Sessionizer, batch: KafkaBatch) -> None:
        """By the models in force, from this batch on."""
        force, phase = self._known.in_force, self._known.phase
        if phase is not None and phase.name != PREPARE:
            mine = Part(phase.number, SWITCH, HITS.name, batch.partition)
            cut = batch.next_offset if batch.is_tick else batch.offsets[0]
            if mine not in self._known.parts:
                await self._tell_once(mine, batch.owner, part(mine, {CUT: cut}))
        epoch = 0 if force is None else force.epoch
        if (hop.epoch, hop.models) != (epoch, self.models):
            hop.use(self.models, epoch)

    async def _tell_once(self, mine: Part, owner: Partition, record: Record) -> None:
        """In the partition's next transaction: who has lost it cannot."""
        if self._told.get(mine) is not owner and owner.transactions is not None:
            topic = self._transport.cluster.names.topic(ERASURES)
            await owner.transactions.submit({(topic, 0): [record]}, [], None)
            self._told[mine] = owner

    async def watch(self, on_crash: Callable[[Exception], None]) -> None:
        """For ever: follow the phases. ``on_crash`` is told what cannot be gone on with."""
        while True:
            try:
                self._control.check()
                is_in_force = self.check()
                phase = self._known.phase
                if phase is not None and (is_in_force or phase.name == PREPARE):
                    await self._follow(phase)
                elif phase is None and self._known.in_force is not None:
                    self._told.clear()
            except (StoreError, KafkaError) as error:
                _log.warning("the history of models cannot be made anew, trying again: %r", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:
                on_crash(error)
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow(self, phase: Phase) -> None:
        for one in list(self._transport.owning.partitions.values()):
            mine = Part(phase.number, phase.name, self._bare(one), one.tp.partition)
            if not one.is_ready or mine in self._known.parts:
                continue
            try:
                if phase.name == PREPARE and mine.topic in WAITING:
                    await self._say_prepared(one, mine)
                elif phase.name == REMAKE and mine.topic == EVIDENCE.name and self._told.get(mine) is not one:
                    await self._remake(one, mine, phase)
            except Exception:
                if not one.is_lost:  # else it is another worker's affair
                    raise

    async def _say_prepared(self, one: Partition, mine: Part) -> None:
        """Its batches wait, all that they led to is committed; and of which models the files differ."""
        if mine.topic == EVIDENCE.name:
            if not one.is_quiet or one.transactions is None:
                return
            await one.transactions.catch_up()
        for request in [one for one in self._known.requests.values() if one.number == mine.number]:
            try:
                differing = changed_models(request.digests, load_models(self._settings).digests)
            except (ModelError, SettingsError, OSError) as error:
                _log.error("%s", error)
                differing = list(request.models)
            await self._control.add([part(mine, dict.fromkeys(differing, 1))])

    async def _remake(self, one: Partition, mine: Part, phase: Phase) -> None:
        """The partition's history, in one unit of work."""
        assert self.journeys is not None, "who has evidence has the hop"
        hop = self.journeys.hop_of(mine.partition)
        assert isinstance(hop, Journeys)
        hop.use(self.models)
        since = Since(*phase.since)
        kept = {mine.partition: hop.set_aside(mine.partition, since.hits)}
        count = self._transport.partitions(EVIDENCE.name)
        store = self._client or reader_of(self._settings)
        try:
            history = History(store, self.models, phase.cut, kept, partitions=count, since=since)
            epoch = mine.number + 1
            remade = await asyncio.to_thread(history.remade, hop.next_version, hop.watched, epoch)
        finally:
            if store is not self._client:
                store.close()
        one.check()
        unit: Any = self._transport.unit()
        names = ("hits", "remembered", "withdrawn", "said")
        counts: dict[str, int] = {name: getattr(history, name) for name in names}
        by_model = {f"{OF_MODEL}{name}": rows for name, rows in history.by_model.items()}
        unit.note(ERASURES, [part(mine, counts | by_model)])
        await hop.take_back(remade, unit)
        self._told[mine] = one

    def _bare(self, one: Partition) -> str:
        return self._transport.cluster.names.bare(one.tp.topic)
