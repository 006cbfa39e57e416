"""Hop 2: evidence -> transitions and their facts. Decides nothing: see core.journeys."""

from collections import defaultdict

import msgspec

from agents.hop import Context
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Journey, apply
from pipeline.core.models import Models
from pipeline.store.blocks import blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.counter import Facts
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition, TransitionFact

NAME = "journeys"
VERSION = "\x00version"  # no person's key: a site has at least one character
_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(EvidenceBatch).decode
_decode_journey = msgspec.msgpack.Decoder(Journey).decode


class Journeys:
    """State per person: the evidence, in order of event time."""

    def __init__(self, context: Context, models: Models) -> None:
        self._context = context
        self._models = models
        self._stores: dict[int, StateStore] = {}

    async def handle(self, batch: Batch) -> None:
        """Fold the evidence of each person, send what changed, commit."""
        if batch.is_tick:
            return
        store = self._store(batch.partition)
        version = int.from_bytes(store.get(VERSION) or b"") + 1
        store[VERSION] = version.to_bytes(8)
        transitions, changes = self._fold(batch, store, version)
        unit = self._context.transport.unit()
        unit.send(topics.TRANSITIONS.name, batch.partition, blocks_of("transitions", transitions))
        count = self._context.transport.partitions(topics.FACTS.name)
        by_partition: dict[int, Facts] = {}
        for fact in changes:
            target = partition_of(fact.site, count)
            by_partition.setdefault(target, Facts(f"{NAME}-{batch.partition}", None)).transitions.append(fact)
        for target, facts in by_partition.items():
            unit.send(topics.FACTS.name, target, [_encode(facts)])
        await unit.commit([batch], [store], now_ms=self._context.now_ms())

    def _fold(self, batch: Batch, store: StateStore, version: int) -> tuple[list[Transition], list[TransitionFact]]:
        of_person: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
        for value in batch.values:
            for site, person, evidence in _decode_batch(value).items:
                of_person[site, person].append(evidence)
        transitions: list[Transition] = []
        facts: list[TransitionFact] = []
        for (site, person), evidence in of_person.items():
            key = f"{site}{SEPARATOR}{person}"
            packed = store.get(key)
            journey = None if packed is None else _decode_journey(packed)
            journey, steps, changes = apply(self._models, journey, site, person, evidence, version)
            store[key] = _encode(journey)
            transitions += steps
            facts += changes
        return transitions, facts

    def _store(self, partition: int) -> StateStore:
        if partition not in self._stores:
            self._stores[partition] = self._context.transport.state(NAME, partition)
        return self._stores[partition]
