"""The main figures of a store: the ledger's outcomes and what the sessions add up to."""

from collections.abc import Callable, Sequence
from typing import Any

from schemas.outcome import ACCEPTED, Outcome

Query = Callable[[str], Sequence[tuple[Any, ...]]]

_SESSIONS = """
SELECT count() AS sessions, countIf(bounced) AS bounced, countIf(converted) AS converted,
       sum(conversions) AS conversions, toFloat64(sum(revenue)) AS revenue,
       if(count() = 0, 0, avg(duration_ms) / 1000) AS mean_duration_seconds
FROM sessions
"""
_NAMES = ("sessions", "bounced", "converted", "conversions", "revenue", "mean_duration_seconds")


def figures(query: Query) -> dict[str, int | float]:
    """``received = accepted + duplicate + bot + dead_letter``; ``accepted = sessionized + background + late``."""
    by_outcome = dict.fromkeys(Outcome, 0)
    for outcome, hits in query("SELECT outcome, sum(hits) FROM ledger GROUP BY outcome"):
        if outcome in by_outcome:
            by_outcome[Outcome(outcome)] = int(hits)
    found: dict[str, int | float] = {
        "received": sum(by_outcome.values()),
        "accepted": sum(by_outcome[outcome] for outcome in ACCEPTED),
        **{outcome.value: hits for outcome, hits in by_outcome.items()},
    }
    found.update(zip(_NAMES, query(_SESSIONS)[0], strict=True))
    for view in ("transitions", "signals"):
        found[view] = query(f"SELECT count() FROM {view}")[0][0]
    return found
