"""Hop 2: evidence -> transitions and their facts. Decides nothing: see core.journeys."""

from collections import Counter, defaultdict

import msgspec

from agents.hop import Context
from pipeline.core.evidence import unpacked
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Journey, apply
from pipeline.core.models import Models
from pipeline.settings import SettingsError
from pipeline.store.blocks import blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.counter import Facts
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition, TransitionFact

NAME = "journeys"
HEAD = "\x00head"  # no person's key: a site has at least one character
_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(EvidenceBatch).decode
_decode_journey = msgspec.msgpack.Decoder(Journey).decode


class Head(msgspec.Struct, array_like=True):
    """``version``: number of the last unit of work. ``fingerprint``: of the models the journeys were made with."""

    version: int
    fingerprint: int


_decode_head = msgspec.msgpack.Decoder(Head).decode


class Journeys:
    """State per person: the evidence, in order of event time."""

    def __init__(self, context: Context, models: Models) -> None:
        self._context = context
        self._models = models
        self._stores: dict[int, StateStore] = {}
        self._versions: dict[int, int] = {}

    async def handle(self, batch: Batch) -> None:
        """Fold the evidence of each person, send what changed, commit."""
        if batch.is_tick:
            return
        store, version = self._partition(batch.partition)
        version += 1
        self._versions[batch.partition] = version
        store[HEAD] = _encode(Head(version, self._models.fingerprint))
        transitions, changes = self._fold(batch, store, version)
        unit = self._context.transport.unit()
        unit.send(topics.TRANSITIONS.name, batch.partition, blocks_of("transitions", transitions))
        count = self._context.transport.partitions(topics.FACTS.name)
        by_partition: dict[int, Facts] = {}
        for (site, model, left, entered), net in changes.items():
            if net:
                target = by_partition.setdefault(
                    partition_of(site, count), Facts(f"{NAME}-{batch.partition}", None)
                )
                target.transitions.append(TransitionFact(site, model, left, entered, net))
        for partition, facts in by_partition.items():
            unit.send(topics.FACTS.name, partition, [_encode(facts)])
        await unit.commit([batch], [store], now_ms=self._context.now_ms())

    def _fold(
        self, batch: Batch, store: StateStore, version: int
    ) -> tuple[list[Transition], Counter[tuple[str, str, str, str]]]:
        """The transitions to write, and the net number of each kind (site, model, from, to)."""
        of_person: dict[str, list[Evidence]] = defaultdict(list)
        for value in batch.values:
            for key, evidence in unpacked(_decode_batch(value)):
                of_person[key].append(evidence)
        transitions: list[Transition] = []
        changes: Counter[tuple[str, str, str, str]] = Counter()
        for key, new in of_person.items():
            site, _, person = key.partition(SEPARATOR)
            packed = store.get(key)
            journey = None if packed is None else _decode_journey(packed)
            journey, steps, facts = apply(self._models, journey, site, person, new, version)
            store[key] = _encode(journey)
            transitions += steps
            for fact in facts:
                changes[fact.site, fact.model, fact.from_stage, fact.to_stage] += fact.count
        return transitions, changes

    def _partition(self, partition: int) -> tuple[StateStore, int]:
        """The partition's persons and the number of its last unit of work."""
        if partition not in self._stores:
            store = self._context.transport.state(NAME, partition)
            packed = store.get(HEAD)
            head = Head(0, self._models.fingerprint) if packed is None else _decode_head(packed)
            if head.fingerprint != self._models.fingerprint:
                raise SettingsError(
                    "models: the stage models are not those that this data directory was made with. Put them back, "
                    "or process the hits again into a new directory"
                )
            self._stores[partition], self._versions[partition] = store, head.version
        return self._stores[partition], self._versions[partition]
