"""SQL that cuts hits into sessions, by pauses and where the options say: the batch side of what ``pipeline.core.parts``
does.

The options are a fold over the instants of each run of hits without a pause: an instant is a millisecond with all its
hits. A session came by (0, its campaign), (1, its channel) or (2, nothing: directly). Nothing of the core is used.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.store.sql import text

CAMPAIGN: Final = (
    "[campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content, campaign_id]"
)
IS_NAMED: Final = f"arrayExists(field -> field != '', {CAMPAIGN})"
_ORIGIN: Final = "Tuple(UInt8, Array(String))"


class Cuts(NamedTuple):
    """``zone``: of the sites that are not in ``zones`` (site -> zone)."""

    midnight: bool = False
    campaign: bool = False
    longest_ms: int | None = None
    zone: str = "UTC"
    zones: Mapping[str, str] = {}

    @property
    def any(self) -> bool:
        """Whether anything but a pause cuts."""
        return self.midnight or self.campaign or self.longest_ms is not None


def numbered(hits: str, timeout_ms: int, cuts: Cuts) -> str:
    """The hits of this query with a ``number`` that tells each visitor's sessions apart."""
    runs = f"""
    SELECT *, sum(begins) OVER (PARTITION BY site, visitor ORDER BY at ROWS UNBOUNDED PRECEDING) AS number
    FROM
    (
        SELECT
            *,
            at - lagInFrame(at, 1, at) OVER (
                PARTITION BY site, visitor ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) > {timeout_ms} AS begins
        FROM ({hits})
    )
    """
    return _cut(runs, cuts) if cuts.any else runs


def _cut(runs: str, cuts: Cuts) -> str:
    over = ["empty(done.1)"]
    if cuts.midnight:
        over.append("one.2 != done.2")
    if cuts.campaign:
        over.append("(one.3.1 = 0 AND done.3.1 != 2 AND one.3 != done.3)")
    if cuts.longest_ms is not None:
        over.append(f"one.1 - done.1[-1] > {cuts.longest_ms}")
    origin = f"multiIf({IS_NAMED}, (0, {CAMPAIGN}), channel != 'direct', (1, [channel]), (2, []))::{_ORIGIN}"
    return f"""
    SELECT h.* REPLACE ((h.number, arrayCount(start -> start <= h.at, s.starts)) AS number)
    FROM ({runs}) AS h
    INNER JOIN
    (
        SELECT
            site, visitor, number,
            arrayFold(
                (done, one) -> (
                    if({" OR ".join(over)}, arrayPushBack(done.1, one.1), done.1),
                    one.2,
                    if({" OR ".join(over)} OR one.3.1 = 0, one.3, done.3)
                ),
                arraySort(groupArray((at, day, origin))),
                ([], 0, (2, []))::Tuple(Array(Int64), Int32, {_ORIGIN})
            ).1 AS starts
        FROM
        (
            SELECT site, visitor, number, at, toInt32(any({_day(cuts)})) AS day, min({origin}) AS origin
            FROM ({runs})
            GROUP BY site, visitor, number, at
        )
        GROUP BY site, visitor, number
    ) AS s ON s.site = h.site AND s.visitor = h.visitor AND s.number = h.number
    """


def _day(cuts: Cuts) -> str:
    """The number of the day at the hit's site."""
    if not cuts.midnight:
        return "0"
    sites: dict[str, list[str]] = {}
    for site, zone in cuts.zones.items():
        sites.setdefault(zone, []).append(text(site))
    days = [f"site IN ({', '.join(of)}), {_days(zone)}" for zone, of in sites.items()]
    return f"multiIf({', '.join([*days, _days(cuts.zone)])})" if days else _days(cuts.zone)


def _days(zone: str) -> str:
    return f"toInt32(toDate32(event_time, {text(zone)}))"
