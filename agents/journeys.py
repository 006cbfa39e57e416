"""Hop 2: evidence -> transitions and their facts. Decides nothing: see core.journeys."""

from collections.abc import Iterator, Sequence

import msgspec

from agents.hop import Context
from pipeline.core.counters import STAGE
from pipeline.core.evidence import passed_on
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Clock
from pipeline.core.journeys import Journeys as Core
from pipeline.core.models import Models
from pipeline.core.persons.sending import regressions
from pipeline.settings import SettingsError
from pipeline.store.blocks import block, blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from schemas import topics
from schemas.counter import Facts, Measure
from schemas.evidence import EvidenceBatch
from schemas.transition import TransitionFact

NAME = "journeys"
_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(EvidenceBatch).decode


class Entry(msgspec.Struct, array_like=True):
    """Of the journal. ``version``: number of the unit of work. ``fingerprint``: of the models it was made with."""

    version: int
    fingerprint: int
    state: bytes
    clock: Clock


_decode_entry = msgspec.msgpack.Decoder(Entry).decode


class Journeys:
    """One core per partition, made when its first batch comes."""

    def __init__(
        self, context: Context, models: Models, *, bounded: bool = False, watched: Sequence[str] = ()
    ) -> None:
        self._context = context
        self._models = models
        self._bounded = bounded
        self._watched = watched
        self._partitions: dict[int, tuple[Core, Journal]] = {}
        self._versions: dict[int, int] = {}

    async def handle(self, batch: Batch) -> None:
        """Fold the evidence of each person, send what changed, commit."""
        await self._erase(batch.partition)
        if batch.is_tick and not batch.is_final:
            return
        core, journal = self._partition(batch.partition)
        version = self._versions[batch.partition] = self._versions[batch.partition] + 1
        messages = list(map(_decode_batch, batch.values))
        output = core.take(messages, version, journal.next, is_final=batch.is_final)
        entry = Entry(version, self._models.fingerprint, output.state, core.clock)
        journal.add(_encode(entry), needed=output.needed)
        unit = self._context.transport.unit()
        on_time = [] if output.columns is None else [block("transitions", output.columns)]
        late = blocks_of("transitions", output.corrections)
        unit.send(topics.TRANSITIONS.name, batch.partition, on_time + late)
        count = self._context.transport.partitions(topics.EVIDENCE.name)
        for target, message in passed_on(output.passed, count):
            unit.send(topics.EVIDENCE.name, target, [_encode(message)])
        count = self._context.transport.partitions(topics.FACTS.name)
        by_partition: dict[int, Facts] = {}
        for (site, model, left, entered), net in output.changes.items():
            if net:
                facts = by_partition.setdefault(
                    partition_of(site, count), Facts(f"{NAME}-{batch.partition}", None)
                )
                facts.transitions.append(TransitionFact(site, model, left, entered, net))
        for (site, model, stage, minute, is_exit), net in output.stays.items():
            if net:
                facts = by_partition.setdefault(
                    partition_of(site, count), Facts(f"{NAME}-{batch.partition}", None)
                )
                name, sums = f"{STAGE}{model}{STAGE}{stage}", [0, net] if is_exit else [net, 0]
                facts.measures.append(Measure(site, name, minute, sums))
        count = self._context.transport.partitions(topics.TOUCHPOINTS.name)
        source = f"{NAME}-{batch.partition}"
        for target, regressed in regressions(output.regressed, source, count):
            unit.send(topics.TOUCHPOINTS.name, target, [_encode(regressed)])
        for partition, facts in by_partition.items():
            unit.send(topics.FACTS.name, partition, [_encode(facts)])
        await unit.commit([batch], [journal], now_ms=self._context.now_ms())

    async def _erase(self, partition: int) -> None:
        """Who is to be forgotten, in a unit of work of its own."""
        erasure = self._context.erasures.due(NAME, partition)
        if erasure is None:
            return
        core, journal = self._partition(partition)
        version = self._versions[partition] = self._versions[partition] + 1
        keys = [f"{erasure.site}{SEPARATOR}{an_id}" for an_id in erasure.ids]
        state, needed = core.erase(keys, journal.next)
        journal.add(_encode(Entry(version, self._models.fingerprint, state, core.clock)), needed=needed)
        await self._context.transport.unit().commit([], [journal], now_ms=self._context.now_ms())
        self._context.erasures.done(NAME, partition)

    def _partition(self, partition: int) -> tuple[Core, Journal]:
        """The partition's persons; its version goes on from the last unit of work."""
        known = self._partitions.get(partition)
        if known is None:
            journal = self._context.transport.journal(NAME, partition)
            core = Core(self._models, bounded=self._bounded, watched=self._watched)
            head = _Head()
            core.restore(self._states(journal, head))
            core.clock, self._versions[partition] = head.clock, head.version
            known = self._partitions[partition] = core, journal
        return known

    def _states(self, journal: Journal, head: "_Head") -> Iterator[tuple[int, bytes]]:
        """The core's part of the entries; ``head`` becomes the rest of the last one."""
        for number, packed in journal.entries():
            entry = _decode_entry(packed)
            if entry.fingerprint != self._models.fingerprint:
                raise SettingsError(
                    "models: the stage models are not those that this data directory was made with. Put them back, "
                    "or process the hits again into a new directory"
                )
            head.version, head.clock = entry.version, entry.clock
            yield number, entry.state


class _Head(msgspec.Struct):
    version: int = 0
    clock: Clock = msgspec.field(default_factory=Clock)
