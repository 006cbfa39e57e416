"""Paths as the store has them: which touches led to a conversion, and which led to none, each path with its count.

A path is the tuple of the touches' channels (or campaigns, sources, mediums) in order of time, the same one twice in a
row counted once. A converting path is that of ``attribution``: the sessions of the 30 days before the conversion. A
path that led nowhere is that of a person without a conversion in the scope: the sessions of the 30 days before the
person's last one.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from msgspec import Struct

from pipeline.journey.scope import Scope
from pipeline.store.client import Reader, rows
from pipeline.store.sql import text

Path = tuple[str, ...]

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "channel": ("channels", "channel"),
    "campaign": ("campaigns", "campaign_name"),
    "source": ("sources", "campaign_source"),
    "medium": ("mediums", "campaign_medium"),
}
"""By what -> its column in ``conversion_paths``, and in ``sessions``, ``costs`` and ``attribution``."""
NONE: Final = "(none)"


class PathCount(Struct):
    """How often a path was gone: ``conversions`` with their revenue in micros by currency, and ``lost`` without any."""

    conversions: int = 0
    lost: int = 0
    micros: dict[str, int] = {}


def collapsed(touches: Iterable[str]) -> Path:
    """The same touch in a row counts once; an empty name is ``(none)``."""
    return tuple(name or NONE for name, _ in groupby(touches))


def paths_of(reader: Reader, scope: Scope, by: str, goals: tuple[str, ...] = ()) -> dict[Path, PathCount]:
    """The paths of the scope by ``channel``, ``campaign``, ``source`` or ``medium``; ``goals``: only those events."""
    converting, column = COLUMNS[by]
    found: dict[Path, PathCount] = {}
    in_scope = scope.where("time") + among(goals)
    for row in rows(
        reader,
        f"SELECT {converting} AS touches, currency, sum(conversion_paths.conversions) AS conversions, "
        "toInt128(sum(conversion_paths.revenue) * 1000000) AS micros "
        f"FROM conversion_paths WHERE {in_scope} GROUP BY touches, currency ORDER BY touches, currency",
    ):
        path = found.setdefault(collapsed(row["touches"]), PathCount())
        path.conversions += row["conversions"]
        if row["micros"]:
            path.micros[row["currency"]] = path.micros.get(row["currency"], 0) + row["micros"]
    for row in rows(
        reader,
        "SELECT touches, count() AS persons FROM (SELECT person_id, max(start_time) AS latest, "
        f"arrayMap(t -> t.3, arraySort(arrayFilter(t -> t.1 >= latest - INTERVAL 30 DAY, "
        f"groupArray((start_time, session_id, toString({column})))))) AS touches FROM sessions "
        f"WHERE {scope.where('start_time')} AND (site, person_id) NOT IN "
        f"(SELECT site, person_id FROM conversions WHERE {in_scope}) GROUP BY person_id) "
        "GROUP BY touches ORDER BY touches",
    ):
        found.setdefault(collapsed(row["touches"]), PathCount()).lost += row["persons"]
    return found


def among(goals: tuple[str, ...]) -> str:
    """A condition on ``event``; none for all goals."""
    return f" AND event IN ({', '.join(map(text, goals))})" if goals else ""
