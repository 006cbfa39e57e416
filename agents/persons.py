"""A hop: touchpoints -> signals, credits of conversions, links, facts; and to other persons what has become theirs.

Decides nothing: see core.persons.people.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from agents.hop import Context, Unit
from pipeline.core.evidence import only_owners
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.persons.people import People, PersonRules, Said
from pipeline.core.persons.sending import messages_of
from pipeline.store.blocks import blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.counter import Facts
from schemas.touchpoint import Touchpoints

NAME = "persons"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Touchpoints).decode


class Persons:
    """One :class:`People` per partition, made when its first batch comes."""

    def __init__(self, context: Context, rules: PersonRules) -> None:
        self._context = context
        self._rules = rules
        self._partitions: dict[int, tuple[People, StateStore]] = {}

    async def handle(self, batch: Batch) -> None:
        """Take in the touchpoints, let time pass as far as they say, send what follows, commit."""
        people, store = self._partition(batch.partition)
        erasure = self._context.erasures.due(NAME, batch.partition)
        if erasure is not None:
            people.erase(f"{erasure.site}{SEPARATOR}{an_id}" for an_id in erasure.ids | erasure.shared)
        elif batch.is_tick and not batch.is_final:
            return
        people.take(map(_decode, batch.values))
        said = people.finish(is_final=batch.is_final)
        unit = self._context.transport.unit()
        self._send(unit, batch.partition, said)
        await unit.commit([batch], [store], now_ms=self._context.now_ms())
        self._context.metrics.links_refused(said.refused)
        self._context.metrics.history_missed(NAME, said.missed)
        if erasure is not None:
            self._context.erasures.done(NAME, batch.partition)

    def _partition(self, partition: int) -> tuple[People, StateStore]:
        known = self._partitions.get(partition)
        if known is None:
            store = self._context.transport.state(NAME, partition)
            people = People(self._rules, store, store.due)
            people.restore(store.in_memory())
            known = self._partitions[partition] = people, store
        return known

    def _send(self, unit: Unit, partition: int, said: Said) -> None:
        source, transport = f"{NAME}-{partition}", self._context.transport
        rows: tuple[tuple[topics.Topic, str, Sequence[Struct]], ...] = (
            (topics.SIGNALS, "signals", said.signals),
            (topics.ATTRIBUTION, "attribution", said.credits),
            (topics.LINKS, "links", said.links),
        )
        for topic, table, records in rows:
            unit.send(topic.name, partition, blocks_of(table, records))
        name = topics.TOUCHPOINTS.name
        for target, message in messages_of(said, source, transport.partitions(name)):
            unit.send(name, target, [_encode(message)])
        name = topics.EVIDENCE.name
        for target, owners in _owners(said, transport.partitions(name)):
            unit.send(name, target, [_encode(only_owners(owners))])
        for target, facts in _facts(said, source, transport.partitions(topics.FACTS.name)):
            unit.send(topics.FACTS.name, target, [_encode(facts)])


def _owners(said: Said, partitions: int) -> Iterator[tuple[int, list[tuple[str, list[int], list[str]]]]]:
    found: dict[int, list[tuple[str, list[int], list[str]]]] = {}
    for key, (since, users) in said.owners.items():
        found.setdefault(partition_of(key, partitions), []).append((key, list(since), list(users)))
    yield from found.items()


def _facts(said: Said, source: str, partitions: int) -> Iterator[tuple[int, Facts]]:
    found: dict[int, Facts] = {}
    for measure in said.measures:
        target = partition_of(measure.site, partitions)
        found.setdefault(target, Facts(source, None)).measures.append(measure)
    for risk in said.risks:
        target = partition_of(risk.site, partitions)
        found.setdefault(target, Facts(source, None)).risks.append(risk)
    yield from found.items()
