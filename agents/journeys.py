"""A hop: evidence -> transitions and their facts; what is passed on. Decides nothing: see core.journeys."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from agents.hop import Context, Unit
from pipeline.core.evidence import passed_on, without_evidence
from pipeline.core.homes import Passed
from pipeline.core.ids import SEPARATOR
from pipeline.core.journeys import Change, Clock, Output, Stay
from pipeline.core.journeys import Journeys as Core
from pipeline.core.models import Models, changed_models, rebuild_of
from pipeline.core.person_table import PersonTable
from pipeline.core.persons.sending import regressions
from pipeline.core.recalling import Recalling
from pipeline.core.remaking import Kept
from pipeline.core.silent import History, histories_of, owners_of
from pipeline.core.sliced import sliced
from pipeline.core.stage_facts import facts_of
from pipeline.settings import SettingsError
from pipeline.store.blocks import block, blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.evidence import EvidenceBatch

NAME = "journeys"
SILENT = "silent_journeys"
_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(EvidenceBatch).decode


class Entry(msgspec.Struct, array_like=True):
    """Of the journal. ``version``: number of the unit of work. ``digests``: of the models it was made with, by name.

    ``epoch``: of the evidence that counts.
    """

    version: int
    digests: dict[str, int]
    state: bytes
    clock: Clock
    epoch: int = 0


_decode_entry = msgspec.msgpack.Decoder(Entry).decode


class Remade(msgspec.Struct):
    """A new history. ``rows``: (partition, block of transitions). The rest as in core.journeys.Output.

    ``epoch``: evidence of any other one is left out from now on, as it is in the new history already.
    """

    journeys: Mapping[int, Core]
    rows: Iterable[tuple[int, bytes]]
    changes: Mapping[Change, int]
    stays: Mapping[Stay, int]
    regressed: Iterable[tuple[str, str, int, int]]
    passed: Iterable[Passed] = ()
    epoch: int = 0


class Journeys:
    """One core per partition, made when its first batch comes."""

    def __init__(
        self,
        context: Context,
        models: Models,
        *,
        bounded: bool = False,
        watched: Sequence[str] = (),
        most: int | None = None,
    ) -> None:
        self._context = context
        self._models = models
        self._bounded = bounded
        self.watched = watched
        self._partitions: dict[int, tuple[Core, Journal]] = {}
        self._versions: dict[int, int] = {}
        self._epochs: dict[int, int] = {}
        self._most = most
        self._silent: dict[int, StateStore] = {}
        self._aside: dict[int, Kept] = {}

    async def handle(self, batch: Batch) -> None:
        """Fold the evidence of each person, send what changed, commit."""
        await self._erase(batch.partition)
        if batch.is_tick and not batch.is_final:
            return
        core, journal = self._partition(batch.partition)
        version = self._versions[batch.partition] = self._versions[batch.partition] + 1
        epoch = self._epochs[batch.partition]
        messages = [
            without_evidence(one) if one.epoch != epoch else one for one in map(_decode_batch, batch.values)
        ]
        output = core.take(messages, version, journal.next, is_final=batch.is_final)
        journal.add(self._entry(batch.partition, output.state, core), needed=output.needed)
        unit = self._context.transport.unit()
        unit.send(topics.TRANSITIONS.name, batch.partition, rows_of(output))
        self._pass_on(unit, output.passed, epoch)
        source = f"{NAME}-{batch.partition}"
        self._send_facts(unit, source, output.changes, output.stays, output.regressed)
        await unit.commit([batch], [journal, self._silent[batch.partition]], now_ms=self._context.now_ms())
        self._context.metrics.history_missed(NAME, output.missed)

    def use(self, models: Models) -> None:
        """These models hold from the next history on, or from the first batch."""
        self._models = models

    def take_up(self, partition: int) -> None:
        """Now, and not with the first batch. :class:`SettingsError`: it is of other models."""
        self._partition(partition)

    @property
    def next_version(self) -> int:
        """Of rows that are to hold over all that were said."""
        return max(self._versions.values(), default=0) + 1

    async def take_back(self, remade: Remade, unit: Unit | None = None) -> None:
        """The new history, in one unit of work."""
        version, unit = self.next_version, unit or self._context.transport.unit()
        for partition, core in remade.journeys.items():
            _, journal = self._partitions[partition]
            self._versions[partition], self._epochs[partition] = version, remade.epoch
            # Long work, and hits come meanwhile.
            whole = await asyncio.to_thread(core.erase, [], journal.next)
            self._put(partition, core, journal, whole)
        for partition, rows in remade.rows:
            unit.send(topics.TRANSITIONS.name, partition, [rows])
        self._pass_on(unit, remade.passed, remade.epoch)
        source = f"{NAME}-{min(remade.journeys)}"
        self._send_facts(unit, source, remade.changes, remade.stays, remade.regressed)
        await self._commit_all(unit)
        self._aside.clear()

    def check(self) -> None:
        """:class:`SettingsError`: what is stored is of other models."""
        if before := self.digests():
            _refuse(changed_models(before, self._models.digests))

    def digests(self) -> dict[str, int]:
        """Of the models that the stored state was made with, by name; empty if there is none."""
        found: dict[str, int] = {}
        for partition in range(self._context.transport.partitions(topics.EVIDENCE.name)):
            first = next(self._context.transport.journal(NAME, partition).entries(), None)
            if first is not None:  # all entries of a journal are of the same models
                found |= _decode_entry(first[1]).digests
        return found

    def _put(self, partition: int, core: Core, journal: Journal, whole: tuple[bytes, int]) -> None:
        """The core is the partition's state, in the next unit of work. ``whole``: all of it, as an entry."""
        self._partitions[partition] = core, journal
        state, needed = whole
        journal.add(self._entry(partition, state, core), needed=needed)
        silent = self._silent_of(partition)
        for key in list(silent):
            del silent[key]
        core.silent.use(silent, silent.due, self._most)

    async def _commit_all(self, unit: Unit) -> None:
        stores: list[Journal | StateStore] = [journal for _, journal in self._partitions.values()]
        stores += self._silent.values()
        await unit.commit([], stores, now_ms=self._context.now_ms())

    def set_aside(self, partition: int, until: int = 0) -> Kept:
        """What is kept of the partition while its history is made anew, until :meth:`take_back`; of its evidence, what
        is older than ``until``, ms.

        Nothing is stored: what is there, perhaps of other models, stays for now. No batch may be at work.
        """
        if partition not in self._aside:
            known = self._partitions.get(partition)
            journal = known[1] if known else self._context.transport.journal(NAME, partition)
            kept, before, histories = _kept_of(known[0]) if known else self._stored(partition, journal)
            if until:
                kept = kept._replace(remembered=Recalling(self._models, before, until).recall(histories))
            self._aside[partition] = kept
            self._partitions[partition] = self._fresh(), journal
        return self._aside[partition]

    def _fresh(self) -> Core:
        return Core(self._models, bounded=self._bounded, watched=self.watched)

    def _stored(self, partition: int, journal: Journal) -> "_Aside":
        """The same of a partition that has not been taken up."""
        entries = [(number, _decode_entry(packed)) for number, packed in journal.entries()]
        last = entries[-1][1] if entries else Entry(0, {}, b"", Clock())
        self._versions[partition], self._epochs[partition] = last.version, last.epoch
        table = PersonTable(len(last.digests))
        table.restore((number, entry.state) for number, entry in entries)
        silent = self._silent_of(partition)
        kept = Kept(table.owners() | owners_of(silent), last.clock)
        return kept, last.digests, histories_of(table, silent)

    def _entry(self, partition: int, state: bytes, core: Core) -> bytes:
        version, epoch = self._versions[partition], self._epochs[partition]
        return _encode(Entry(version, self._models.digests, state, core.clock, epoch))

    def _pass_on(self, unit: Unit, passed: Iterable[Passed], epoch: int) -> None:
        count = self._context.transport.partitions(topics.EVIDENCE.name)
        for some in sliced(passed):
            for target, message in passed_on(some, count, epoch):
                unit.send(topics.EVIDENCE.name, target, [_encode(message)])

    def _send_facts(
        self,
        unit: Unit,
        source: str,
        changes: Mapping[Change, int],
        stays: Mapping[Stay, int],
        regressed: Iterable[tuple[str, str, int, int]],
    ) -> None:
        """What has changed, to the counters; who has moved back, to the persons."""
        transport = self._context.transport
        count = transport.partitions(topics.FACTS.name)
        for target, facts in facts_of(changes, stays, source, count):
            unit.send(topics.FACTS.name, target, [_encode(facts)])
        count = transport.partitions(topics.TOUCHPOINTS.name)
        for some in sliced(regressed):
            for target, message in regressions(some, source, count):
                unit.send(topics.TOUCHPOINTS.name, target, [_encode(message)])

    async def _erase(self, partition: int) -> None:
        """Who is to be forgotten, in a unit of work of its own."""
        erasure = self._context.erasures.due(NAME, partition)
        if erasure is None:
            return
        core, journal = self._partition(partition)
        self._versions[partition] += 1
        keys = [f"{erasure.site}{SEPARATOR}{an_id}" for an_id in erasure.ids]
        state, needed = core.erase(keys, journal.next)
        journal.add(self._entry(partition, state, core), needed=needed)
        unit = self._context.transport.unit()
        await unit.commit([], [journal, self._silent[partition]], now_ms=self._context.now_ms())
        self._context.erasures.done(NAME, partition)

    def _partition(self, partition: int) -> tuple[Core, Journal]:
        """The partition's persons; its version goes on from the last unit of work."""
        known = self._partitions.get(partition)
        if known is None:
            journal = self._context.transport.journal(NAME, partition)
            core = self._fresh()
            head = _Head()
            core.restore(self._states(journal, head))
            core.clock = head.clock
            self._versions[partition], self._epochs[partition] = head.version, head.epoch
            silent = self._silent_of(partition)
            core.silent.use(silent, silent.due, self._most)
            known = self._partitions[partition] = core, journal
        return known

    def _silent_of(self, partition: int) -> StateStore:
        """Those of whom nothing has been heard for long: see core.silent."""
        if partition not in self._silent:
            self._silent[partition] = self._context.transport.state(SILENT, partition)
        return self._silent[partition]

    def _states(self, journal: Journal, head: "_Head") -> Iterator[tuple[int, bytes]]:
        """The core's part of the entries; ``head`` becomes the rest of the last one."""
        for number, packed in journal.entries():
            entry = _decode_entry(packed)
            _refuse(changed_models(entry.digests, self._models.digests))
            head.version, head.clock, head.epoch = entry.version, entry.clock, entry.epoch
            yield number, entry.state


_Aside = tuple[Kept, Mapping[str, int], Iterator[History]]


def _kept_of(core: Core) -> _Aside:
    """What is kept, digests of the models until now, what is known of whom."""
    return Kept(core.owners, core.clock), core.digests, core.silent.histories()


def rows_of(output: Output) -> list[bytes]:
    """Its transitions. What is withdrawn comes first: of equal rows the store keeps the last."""
    on_time = [] if output.columns is None else [block("transitions", output.columns)]
    return blocks_of("transitions", output.corrections) + on_time


def _refuse(changed: Sequence[str]) -> None:
    if changed:
        raise SettingsError(
            f"models: {', '.join(changed)}: not as this data directory was made with. Put them back, or make "
            f"their history anew: {rebuild_of(changed)}"
        )


class _Head(msgspec.Struct):
    version: int = 0
    epoch: int = 0
    clock: Clock = msgspec.field(default_factory=Clock)
