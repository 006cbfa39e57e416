"""What the page shows of the journeys, made of the counters' snapshots, and what has changed since the last time.

A snapshot is a dictionary of *sections*, each plain data for JSON. Pure: no clock, no IO. Times are ms UTC. ``site`` of
"" is all sites together: sums are added, ratios are left to the page.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.counters import Gauges
from pipeline.core.windows import WINDOWS

MOST_SITES = 500  # in the page's list

Snapshot = dict[str, Any]


def journeys(partitions: Iterable[Gauges], site: str) -> Snapshot:
    """Sections ``now``, ``windows``, ``stages``, ``moves``, ``risks`` and ``sites``.

    ``windows``: channel (and ``all``) -> per window [sessions, counted, bounced, converted, duration_ms]; ``stages``:
    model -> stage -> persons in it; ``moves``: model -> [from, to, persons], net, since the beginning.
    """
    active, watermark = 0, None
    windows: dict[str, list[list[int]]] = {}
    stages: dict[str, dict[str, int]] = {}
    moves: dict[tuple[str, str, str], int] = {}
    risks: dict[str, int] = {}
    names: list[str] = []
    for gauges in partitions:
        names += gauges.sites
        if gauges.watermark is not None and (not site or site in gauges.sites):
            watermark = max(watermark or gauges.watermark, gauges.watermark)
        for name, state in gauges.sites.items():
            if site and name != site:
                continue
            active += state.active
            for channel, sums in state.windows.items():
                total = windows.setdefault(channel, [[0] * 5 for _ in WINDOWS])
                for into, part in zip(total, sums, strict=True):
                    into[:] = [one + other for one, other in zip(into, part, strict=True)]
            for (model, stage), persons in state.persons.items():
                of_model = stages.setdefault(model, {})
                of_model[stage] = of_model.get(stage, 0) + persons
            for step, count in state.transitions.items():
                moves[step] = moves.get(step, 0) + count
            for reason, (persons, _) in state.risks.items():
                risks[reason] = risks.get(reason, 0) + persons
    return {
        "now": {"active": active, "watermark": watermark},
        "windows": windows,
        "stages": stages,
        "moves": _by_model(moves),
        "risks": risks,
        "sites": sorted(names)[:MOST_SITES],
    }


def _by_model(moves: Mapping[tuple[str, str, str], int]) -> dict[str, list[tuple[str, str, int]]]:
    found: dict[str, list[tuple[str, str, int]]] = {}
    for (model, left, entered), count in sorted(moves.items()):
        if count:
            found.setdefault(model, []).append((left, entered, count))
    return found


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Snapshot:
    """The sections of ``after`` that ``before`` does not have, or not so."""
    return {name: section for name, section in after.items() if before.get(name) != section}
