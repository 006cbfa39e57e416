"""Hop 1: hits -> hit rows, sessions, moves, evidence, facts, dead letters, ledger. Decides nothing: see core.intake."""

from collections import Counter, defaultdict

import msgspec

from agents.hop import Context, Unit
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.intake import Intake, Output
from pipeline.core.intake_rules import IntakeRules
from pipeline.store.blocks import block, blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.counter import Facts
from schemas.evidence import Evidence, EvidenceBatch

NAME = "sessionizer"
_msgpack = msgspec.msgpack.Encoder().encode


class Sessionizer:
    """One :class:`Intake` per partition, made when its first batch comes."""

    def __init__(self, context: Context, rules: IntakeRules) -> None:
        self._context = context
        self._rules = rules
        self._partitions: dict[int, tuple[Intake, StateStore]] = {}

    async def handle(self, batch: Batch) -> None:
        """Judge the records, end the unit, send what it says, commit."""
        context, now_ms = self._context, self._context.now_ms()
        intake, state = self._partition(batch.partition)
        intake.take(batch.values, batch.timestamps, batch.offsets)
        output = intake.finish(
            now_ms,
            has_records=not batch.is_tick,
            is_caught_up=batch.is_caught_up,
            is_final=batch.is_final,
        )
        unit = context.transport.unit()
        self._send(unit, batch.partition, output)
        await unit.commit([batch], [state], now_ms=now_ms)
        context.metrics.hits(output.outcomes)
        context.metrics.dead_letters(NAME, Counter(letter.reason for letter in output.dead_letters))
        if output.watermark is not None:
            context.metrics.watermark(NAME, batch.partition, (now_ms - output.watermark) / 1000)

    def _partition(self, partition: int) -> tuple[Intake, StateStore]:
        known = self._partitions.get(partition)
        if known is None:
            state = self._context.transport.state(NAME, partition)
            intake = Intake(self._rules, state, partition)
            intake.restore()
            known = self._partitions[partition] = intake, state
        return known

    def _send(self, unit: Unit, partition: int, output: Output) -> None:
        said = output.said
        unit.send(topics.HIT_ROWS.name, partition, [block("hits", columns) for columns in output.blocks])
        unit.send(topics.SESSIONS.name, partition, blocks_of("sessions", said.rows))
        unit.send(topics.MOVES.name, partition, blocks_of("session_moves", said.moves))
        unit.send(topics.DEAD_LETTERS.name, partition, blocks_of("dead_letters", output.dead_letters))
        unit.send(topics.LEDGER.name, partition, blocks_of("ledger", output.ledger))
        self._send_evidence(unit, partition, output)
        self._send_facts(unit, partition, output)

    def _send_evidence(self, unit: Unit, partition: int, output: Output) -> None:
        count = self._context.transport.partitions(topics.EVIDENCE.name)
        by_partition: dict[int, list[tuple[str, str, Evidence]]] = defaultdict(list)
        for item in output.evidence:
            by_partition[partition_of(f"{item[0]}{SEPARATOR}{item[1]}", count)].append(item)
        for target, items in by_partition.items():
            unit.send(topics.EVIDENCE.name, target, [_msgpack(EvidenceBatch(partition, items))])

    def _send_facts(self, unit: Unit, partition: int, output: Output) -> None:
        """Every partition of the counters is told the watermark; the facts go to their site's."""
        count = self._context.transport.partitions(topics.FACTS.name)
        all_facts = [Facts(f"{NAME}-{partition}", output.watermark, [], [], {}) for _ in range(count)]
        for fact in output.said.facts:
            all_facts[partition_of(fact.site, count)].sessions.append(fact)
        for site, change in output.said.active.items():
            all_facts[partition_of(site, count)].active[site] = change
        for target, facts in enumerate(all_facts):
            if facts.sessions or facts.active or output.has_new_watermark:
                unit.send(topics.FACTS.name, target, [_msgpack(facts)])
