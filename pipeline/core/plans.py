"""What one kind of evidence does to a person, worked out once for each kind: rules, event and channel.

``since`` and ``count`` conditions are decided by the fold, which knows the earlier evidence: it answers with
a bit for each of them. Everything else follows from the person's stages and number of orders, and is
remembered.
"""

from typing import Final, NamedTuple

from msgspec import Struct

from pipeline.core.rules import ORDER_EVENT, Rule

NO_SINCE: Final = ""
NO_LIMIT: Final = 1 << 62
MAX_REMEMBERED: Final = 4_096

Moves = tuple[tuple[int, int], ...]  # (model, stage) of each model that changes


class BoundRule(NamedTuple):
    """A rule at its place. ``model`` counts from 0, ``stage`` from 1."""

    id: int
    model: int
    stage: int
    back: bool
    rule: Rule


class Timed(NamedTuple):
    """A rule with ``since`` (``of`` is not NO_SINCE) or ``count`` (``earlier`` is not 0), and its bit in the answer."""

    bit: int
    id: int
    of: str
    min_ms: int
    max_ms: int
    earlier: int  # matches asked for before this one
    window_ms: int


class Plan(Struct, gc=False):
    """``moves`` remembers what :meth:`decide` said.

    ``since_order`` holds those timed rules of which nothing can hold, nor is to be noted, before the first order.
    """

    bounds: tuple[BoundRule, ...]
    since_order: tuple[Timed, ...]
    timed: tuple[Timed, ...]
    is_order: bool
    moves: dict[tuple[bytes, int, int], Moves] = {}

    def decide(self, stages: bytes, orders: int, held: int) -> Moves:
        """Where a person in these stages goes who has made so many orders, this one counted.

        ``held``: the bits of the timed rules that hold. Rules of different stages never hold together: models
        where they could are refused.
        """
        failed = {timed.id for timed in self.since_order + self.timed if not held & timed.bit}
        bounds = [
            bound for bound in self.bounds if bound.id not in failed and _orders_fit(bound.rule, orders)
        ]
        moves = []
        for model, now in enumerate(stages):
            mine = [bound for bound in bounds if bound.model == model]
            first = [bound for bound in mine if not bound.rule.fallback] or mine
            if not first:
                continue
            stage = first[0].stage
            if stage > now or (stage < now and any(bound.back for bound in first)):
                moves.append((model, stage))
        if len(self.moves) >= MAX_REMEMBERED:
            self.moves.clear()
        self.moves[stages, orders, held] = found = tuple(moves)
        return found


def make_plan(bounds: tuple[BoundRule, ...], event: str) -> Plan:
    """The plan of evidence that satisfies these rules."""
    timed = [_timed(1 << nth, bound) for nth, bound in enumerate(bounds) if bound.rule.timed]
    since_order = tuple(one for one in timed if one.of == "order" and not one.earlier)
    others = tuple(one for one in timed if one not in since_order)
    return Plan(bounds, since_order, others, event == ORDER_EVENT)


def _timed(bit: int, bound: BoundRule) -> Timed:
    since, count = bound.rule.since, bound.rule.count
    return Timed(
        bit,
        bound.id,
        since.of if since else NO_SINCE,
        since.min_ms if since else 0,
        NO_LIMIT if since is None or since.max_ms is None else since.max_ms,
        count.min - 1 if count else 0,
        count.window_ms if count else 0,
    )


def _orders_fit(rule: Rule, orders: int) -> bool:
    wanted = rule.orders
    return wanted is None or (wanted.min <= orders and (wanted.max is None or orders <= wanted.max))
