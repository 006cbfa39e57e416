"""Makers and a naive oracle for the tests of stage models and journeys. The oracle follows the definitions,
slowly.
"""

from itertools import count

from pipeline.core.models import Models
from pipeline.core.rules import Model, Rule
from schemas.evidence import Evidence
from schemas.transition import Transition, TransitionFact

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
        return Evidence(at, rules, event, url, channel, str(more.get("session_id", "")), score)  # type: ignore[arg-type]


def oracle(models: Models, site: str, person_id: str, evidence: list[Evidence]) -> set[tuple[object, ...]]:
    """The transitions that hold for this evidence, as tuples without ``withdrawn`` and ``version``."""
    ordered = sorted(evidence, key=lambda e: (e.time, e.rules, e.event, e.url, e.channel, e.session_id))
    return {
        (site, person_id, model.name, *step)
        for at, model in enumerate(models.models)
        for step in _walk(models, at, model, ordered)
    }


def _walk(models: Models, at: int, model: Model, ordered: list[Evidence]) -> list[tuple[object, ...]]:
    steps: list[tuple[object, ...]] = []
    now, entered = -1, 0
    for n, one in enumerate(ordered):
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
        kind = "enter" if now < 0 else "advance" if stage > now else "regress"
        dwell = one.time - entered if now >= 0 else 0
        steps.append((before, model.stage[stage].id, kind, one.time, len(steps), dwell, *_cause(one)))
        now, entered = stage, one.time
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
