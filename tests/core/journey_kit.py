"""Makers and a naive oracle for the tests of stage models and journeys. The oracle follows the definitions,
slowly.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from msgspec.msgpack import decode, encode

from pipeline.core.homes import Passed
from pipeline.core.journeys import Clock, Journeys, Output
from pipeline.core.models import Models
from pipeline.core.person_table import PersonTable
from pipeline.core.rules import Model, Rule
from pipeline.store.blocks import block, blocks_of, read_blocks
from pipeline.transport.rows import Cold, Rows
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition, TransitionFact

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000
NOON = 1_767_268_800_000  # 2026-01-01 12:00 UTC

LABELS = 'labels = { en = "E", fa = "ف", ar = "ع" }'


def model_text(*stages: str, name: str = "tiny", head: str = "") -> str:
    """TOML of a model. A stage is ``id`` and, on further lines, the lines of its rules; a rule begins with
    ``name``.
    """
    parts = [f'name = "{name}"\n{LABELS}\ndescription = "d"\n{head}']
    for stage in stages:
        first, *rest = stage.strip().splitlines()
        parts.append(f'[[stage]]\nid = "{first.strip()}"\n{LABELS}')
        for line in (line.strip() for line in rest):
            parts.append(f"[[stage.rule]]\n{line}" if line.startswith("name") else line)
    return "\n".join(parts) + "\n"


class Person:
    """Makes evidence of one person for some models."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._minutes = count()

    def did(
        self, event: str, url: str = "", time: int | None = None, channel: str = "direct", **more: object
    ) -> Evidence:
        """Evidence at ``time``, or a minute after the last made so."""
        at = NOON + next(self._minutes) * 60_000 if time is None else time
        score, props = more.get("score"), more.get("props")
        rules = self.models.touchpoint(event, url, channel, bool(more.get("goal")), score, props)  # type: ignore[arg-type]
        return Evidence(at, rules, event, url, channel, str(more.get("session_id", "")))  # type: ignore[arg-type]


def message(key: str, evidence: list[Evidence], watermark: int | None = None) -> EvidenceBatch:
    """Evidence of one person as it travels."""
    kinds = [(one.rules, one.event, one.channel) for one in evidence]
    places = np.arange(len(evidence), dtype=np.int32).tobytes()
    return EvidenceBatch(
        source=0,
        persons=[key],
        kinds=kinds,
        urls=[one.url for one in evidence],
        person=bytes(4 * len(evidence)),
        time=np.array([one.time for one in evidence], np.int64).tobytes(),
        kind=places,
        url=places,
        session=b"".join(bytes.fromhex(one.session_id) or bytes(16) for one in evidence),
        known=bytes(one.known for one in evidence),
        watermark=watermark,
    )


class Partition:
    """One partition of the journeys' hop; each unit of work is taken up from the journal's entries alone, and from the
    state of those above the limit ``most``.
    """

    def __init__(self, models: Models, most: int | None = None) -> None:
        self.models = models
        self.most = most
        self.silent = Rows(Cold(Path(gettempdir()), 0), is_timed=True)
        self.entries: list[tuple[int, bytes]] = []
        self.clock = Clock()
        self.passed: list[Passed] = []
        self.missed = 0
        self.bounded = False
        self.version = 0

    @property
    def core(self) -> Journeys:
        """As a restart finds it."""
        core = Journeys(self.models, bounded=self.bounded)
        core.restore(self.entries)
        core.silent.use(self.silent, self.silent.due, self.most)
        core.clock = decode(encode(self.clock), type=Clock)
        return core

    def take(
        self, *messages: EvidenceBatch, is_final: bool = False
    ) -> tuple[list[Transition], list[TransitionFact]]:
        """One unit of work: the rows, and the net facts."""
        core, number = self.core, len(self.entries) and self.entries[-1][0] + 1
        found = [decode(encode(one), type=EvidenceBatch) for one in messages]
        output = core.take(found, self.version, number, is_final=is_final)
        self.silent.settle()
        self.clock, self.passed, self.missed = core.clock, output.passed, output.missed
        self.entries = [entry for entry in self.entries if entry[0] >= output.needed]
        self.entries.append((number, output.state))
        self.version += 1
        facts = [TransitionFact(*change, count) for change, count in output.changes.items() if count]
        return transitions_of(output), facts

    def table(self) -> tuple[PersonTable, int]:
        """What is kept, and the place of the only person in it."""
        table = self.core._table
        (slot,) = table.slot_of.values()
        return table, slot

    def stages(self, key: str) -> dict[str, str]:
        """The stage of each model that the person has entered."""
        table = self.core._table
        at = table.state(table.slot_of[key]).stages
        models = self.models.models
        return {model.name: model.stage[n - 1].id for model, n in zip(models, at, strict=True) if n}


def transitions_of(output: Output) -> list[Transition]:
    """The rows of a unit of work, as they are stored."""
    blocks = [block("transitions", output.columns)] if output.columns else []
    rows = read_blocks("transitions", blocks_of("transitions", output.corrections) + blocks)
    return [_row(row) for row in rows.to_pylist()]


def _row(row: dict[str, Any]) -> Transition:
    time = (row.pop("time") - EPOCH) // timedelta(milliseconds=1)
    return Transition(**row, time=time)


def oracle(
    models: Models, site: str, person_id: str, evidence: list[Evidence], now: int = -(1 << 62)
) -> set[tuple[object, ...]]:
    """The transitions that hold for this evidence, as tuples without ``withdrawn`` and ``version``."""
    ordered = sorted(evidence, key=lambda e: (e.time, e.rules, e.event, e.url, e.channel, e.session_id))
    return {
        (site, person_id, model.name, *step)
        for at, model in enumerate(models.models)
        for step in _walk(models, at, model, ordered, now)
    }


def _walk(
    models: Models, at: int, model: Model, ordered: list[Evidence], until: int
) -> list[tuple[object, ...]]:
    steps: list[tuple[object, ...]] = []
    now, entered = -1, 0
    for n, one in enumerate(ordered):
        if n and now >= 0 and one.time - ordered[n - 1].time > model.lapse_days * DAY:
            end = ordered[n - 1].time + model.lapse_days * DAY
            left = model.stage[now].id
            steps.append((left, "", "lapse", end, len(steps), end - entered, "", "", "", ""))
            now = -1
        bounds = [b for b in (models.rules[rule] for rule in one.rules) if b.model == at]
        holding = [b for b in bounds if _holds(b.id, b.rule, ordered[: n + 1])]
        holding = [b for b in holding if not b.rule.fallback] or holding
        if not holding:
            continue
        stage = max(b.stage for b in holding) - 1
        may_go_back = any(model.back(b.rule) for b in holding if b.stage == stage + 1)
        if stage == now or (stage < now and not may_go_back):
            continue
        before = model.stage[now].id if now >= 0 else ""
        is_loop = one.channel == "referral" and "?code=" in one.url
        begins = "return" if steps else "loop" if is_loop else "enter"
        kind = begins if now < 0 else "advance" if stage > now else "regress"
        dwell = one.time - entered if now >= 0 else 0
        steps.append((before, model.stage[stage].id, kind, one.time, len(steps), dwell, *_cause(one)))
        now, entered = stage, one.time
    if ordered and now >= 0 and until - ordered[-1].time > model.lapse_days * DAY:
        end = ordered[-1].time + model.lapse_days * DAY
        steps.append((model.stage[now].id, "", "lapse", end, len(steps), end - entered, "", "", "", ""))
    return steps


def _cause(one: Evidence) -> tuple[str, str, str, str]:
    return one.event, one.url, one.channel, one.session_id


def _holds(rule_id: int, rule: Rule, so_far: list[Evidence]) -> bool:
    *earlier, this = so_far
    if rule.orders:
        orders = sum(e.event == "purchase" for e in so_far)
        if orders < rule.orders.min or (rule.orders.max is not None and orders > rule.orders.max):
            return False
    if rule.count:
        start = this.time - rule.count.days * DAY
        if sum(rule_id in e.rules and e.time >= start for e in so_far) < rule.count.min:
            return False
    if rule.since:
        starts = [e.time for e in earlier if rule.since.of != "order" or e.event == "purchase"]
        if not starts:
            return False
        elapsed = this.time - (min(starts) if rule.since.of == "first" else max(starts))
        if elapsed < rule.since.min_days * DAY:
            return False
        if rule.since.max_days is not None and elapsed > rule.since.max_days * DAY:
            return False
    return True


def live(said: list[Transition]) -> set[tuple[object, ...]]:
    """What a reader of the newest version of each key sees. Messages must be in the order in which they were
    said.
    """
    rows = {(t.site, t.model, t.person_id, t.time, t.ordinal): t for t in said}
    return {
        (
            *(t.site, t.person_id, t.model, t.from_stage, t.to_stage, t.kind, t.time, t.ordinal, t.dwell_ms),
            *(t.cause_event, t.cause_url, t.cause_channel, t.cause_session_id),
        )
        for t in rows.values()
        if not t.withdrawn
    }


def summed(facts: list[TransitionFact]) -> dict[tuple[object, ...], int]:
    """What remains of the facts after their signs."""
    sums: dict[tuple[object, ...], int] = {}
    for f in facts:
        key = (f.site, f.model, f.from_stage, f.to_stage)
        sums[key] = sums.get(key, 0) + f.count
    return {key: total for key, total in sums.items() if total}
