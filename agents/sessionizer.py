"""The first hop: hits -> hit rows, sessions, moves, evidence, touchpoints, facts, dead letters, ledger.

Decides nothing: see core.intake.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from agents.hop import Context, Unit
from pipeline.core.evidence import only_time
from pipeline.core.ids import partition_of
from pipeline.core.intake import Intake, matcher_of
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.intake_unit import Output
from pipeline.core.models import Models
from pipeline.core.session import SEGMENTS
from pipeline.core.windows import PANE_MS, sum_segments, sum_sessions
from pipeline.store.blocks import block, blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.journal import Journal
from schemas import topics
from schemas.counter import Facts

NAME = "sessionizer"
HIT_IDS = "hit_ids"
_msgpack = msgspec.msgpack.Encoder().encode


class Sessionizer:
    """One :class:`Intake` per partition, made when its first batch comes. ``pane_ms``: of the counters.

    ``segments``: by what their windows are cut.
    """

    def __init__(
        self, context: Context, rules: IntakeRules, *, pane_ms: int = PANE_MS, segments: Sequence[str] = ()
    ) -> None:
        self._segments = {name: SEGMENTS[name] for name in segments}
        self._context = context
        self._pane_ms = pane_ms
        self._rules = rules
        self._matcher = matcher_of(rules)
        self._partitions: dict[int, tuple[Intake, Journal, Journal]] = {}
        self.epoch = 0

    async def handle(self, batch: Batch) -> None:
        """Judge the records, end the unit, send what it says, commit."""
        context, now_ms = self._context, self._context.now_ms()
        intake, state, ids = self._partition(batch.partition)
        intake.take(context.erasures.kept(batch.values), batch.timestamps, batch.offsets)
        erasure = context.erasures.due(NAME, batch.partition)
        if erasure is not None:
            intake.erase(erasure)
        output = intake.finish(
            now_ms,
            has_records=not batch.is_tick,
            is_caught_up=batch.is_caught_up,
            is_final=batch.is_final,
            number=state.next,
            ids_number=ids.next,
        )
        state.add(output.state, needed=output.needed)
        ids.add(output.ids, needed=output.ids_needed)
        unit = context.transport.unit()
        self._send(unit, batch.partition, output)
        await unit.commit([batch], [state, ids], now_ms=now_ms)
        if erasure is not None:
            context.erasures.done(NAME, batch.partition)
        context.metrics.hits(output.outcomes)
        if output.unknown_fields or output.cut_urls:
            context.metrics.mended(unknown_fields=output.unknown_fields, cut_urls=output.cut_urls)
        context.metrics.dead_letters(NAME, Counter(letter.reason for letter in output.dead_letters))
        if output.watermark is not None:
            context.metrics.watermark(NAME, batch.partition, (now_ms - output.watermark) / 1000)

    @property
    def models(self) -> Models:
        """Those that hits are matched by."""
        return self._rules.models

    def use(self, models: Models, epoch: int = 0) -> None:
        """Between two batches: from now on hits are matched by these models, and their evidence says so."""
        self.epoch = epoch
        self._rules = self._rules._replace(models=models)
        self._matcher.use(models)

    def _partition(self, partition: int) -> tuple[Intake, Journal, Journal]:
        known = self._partitions.get(partition)
        if known is None:
            transport = self._context.transport
            state, ids = transport.journal(NAME, partition), transport.journal(HIT_IDS, partition)
            intake = Intake(self._rules, partition, self._matcher)
            intake.restore(state.entries(), ids.entries())
            known = self._partitions[partition] = intake, state, ids
        return known

    def _send(self, unit: Unit, partition: int, output: Output) -> None:
        said = output.said
        if output.hits is not None:
            unit.send(topics.HIT_ROWS.name, partition, [block("hits", output.hits)])
        sessions = [block("sessions", columns) for columns in output.sessions]
        unit.send(topics.SESSIONS.name, partition, blocks_of("sessions", said.withdrawn) + sessions)
        unit.send(topics.MOVES.name, partition, blocks_of("session_moves", said.moves))
        unit.send(topics.DEAD_LETTERS.name, partition, blocks_of("dead_letters", output.dead_letters))
        unit.send(topics.LEDGER.name, partition, blocks_of("ledger", output.ledger))
        self._send_evidence(unit, partition, output)
        self._send_touchpoints(unit, partition, output)
        self._send_facts(unit, partition, output)

    def _send_evidence(self, unit: Unit, partition: int, output: Output) -> None:
        """Every partition is told the watermark when it has come to another minute: journeys lapse by it."""
        count, watermark = self._context.transport.partitions(topics.EVIDENCE.name), output.watermark
        untold = set(range(count)) if output.has_new_minute else set()
        if output.evidence is not None:
            found_in = output.evidence.by_partition(partition, count, watermark, self.epoch)
            for target, found in found_in:
                unit.send(topics.EVIDENCE.name, target, [_msgpack(found)])
                untold.discard(target)
        for target in sorted(untold):
            unit.send(topics.EVIDENCE.name, target, [_msgpack(only_time(partition, watermark))])

    def _send_touchpoints(self, unit: Unit, partition: int, output: Output) -> None:
        """As with the facts: the watermark to every partition, the rest to its person's."""
        name = topics.TOUCHPOINTS.name
        count = self._context.transport.partitions(name)
        source, is_new = f"{NAME}-{partition}", output.has_new_watermark
        for target, message in output.touched.by_partition(source, output.watermark, count, to_all=is_new):
            unit.send(name, target, [_msgpack(message)])

    def _send_facts(self, unit: Unit, partition: int, output: Output) -> None:
        """Every partition of the counters is told the watermark; the facts, as sums, go to their site's."""
        count = self._context.transport.partitions(topics.FACTS.name)
        all_facts = [Facts(f"{NAME}-{partition}", output.watermark, [], [], {}) for _ in range(count)]
        said = output.said
        for fact in sum_sessions(said.facts, self._pane_ms, said.closed):
            all_facts[partition_of(fact.site, count)].sessions.append(fact)
        if self._segments:
            for measure in sum_segments(said.facts, self._pane_ms, self._segments, said.closed):
                all_facts[partition_of(measure.site, count)].measures.append(measure)
        for site, change in said.active.items():
            all_facts[partition_of(site, count)].active[site] = change
        for target, facts in enumerate(all_facts):
            if facts.sessions or facts.measures or facts.active or output.has_new_watermark:
                unit.send(topics.FACTS.name, target, [_msgpack(facts)])
