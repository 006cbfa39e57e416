"""Stored hits to be matched again, and the transitions that were said beside those that ought to be.

Reads the base tables, with FINAL: rows carry the session ids they were stored with, as the stream's do. Transitions are
Arrow tables with the columns of ``schemas.rows``, of which the newest version of a key holds; ``withdrawn`` takes it
away. Memory: the transitions, about 200 bytes each, twice; and one slice of hits.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.ids import SEPARATOR
from pipeline.core.remaking import COLUMNS
from pipeline.store.client import Reader
from pipeline.store.sql import ACCEPTED
from schemas.rows import TRANSITION_ROWS

SLICE_HITS: Final = 50_000
KEY: Final = ("site", "model", "person_id", "time", "ordinal")
SAID: Final = tuple(name for name in TRANSITION_ROWS.names if name not in ("withdrawn", "version"))
MINUTE_MS: Final = 60_000

# Whole minutes of a site, as many as make a slice.
_SLICES: Final = """
SELECT site, min(low), max(high) FROM
(
    SELECT site, low, high, intDiv(sum(hits) OVER (PARTITION BY site ORDER BY minute) - hits, {size}) AS slice FROM
    (
        SELECT site, intDiv(toUnixTimestamp64Milli(event_time), 60000) AS minute, count() AS hits,
            min(toUnixTimestamp64Milli(event_time)) AS low, max(toUnixTimestamp64Milli(event_time)) AS high
        FROM hits_rows WHERE {whose} AND event_time >= fromUnixTimestamp64Milli({since}, 'UTC') GROUP BY site, minute
    )
)
GROUP BY site, slice ORDER BY site, min(low)
"""
_HITS: Final = """
SELECT {columns} FROM
(
    SELECT *, toUnixTimestamp64Milli(event_time) AS time FROM hits_rows FINAL
    WHERE site = '{site}' AND event_time >= fromUnixTimestamp64Milli({low}, 'UTC')
        AND event_time <= fromUnixTimestamp64Milli({high}, 'UTC')
)
WHERE {accepted} AND source_offset < {cut}[source_partition + 1] AND {whose}
ORDER BY time
SETTINGS do_not_merge_across_partitions_select_final = 1
"""


class Share(NamedTuple):
    """The persons of one of several partitions, by ``pipeline.core.ids.partition_of``."""

    partition: int
    partitions: int

    def holds(self, person: str) -> str:
        """Is a row's person, an expression in SQL, one of them?"""
        key = f"concat(site, char({ord(SEPARATOR)}), {person})"
        return f"CRC32({key}) % {self.partitions} = {self.partition}"


EVERYBODY: Final = Share(0, 1)


def stored_hits(
    store: Reader, cut: Sequence[int], share: Share = EVERYBODY, since: int = 0
) -> Iterator[dict[str, list[Any]]]:
    """Slices of hits, in the order of each site's time, as columns. ``cut``: by partition, the first one not read.

    ``since``: none is older, ms.
    """
    ends, whose = f"[{', '.join(map(str, cut))}]", share.holds("if(user_id = '', visitor_id, user_id)")
    slices = _table(store, _SLICES.format(size=SLICE_HITS, whose=whose, since=since)).to_pydict()
    for site, low, high in zip(*slices.values(), strict=True):
        query = _HITS.format(
            columns=", ".join(COLUMNS),
            site=site,
            low=low,
            high=high,
            accepted=ACCEPTED,
            cut=ends,
            whose=whose,
        )
        found = _table(store, query)
        if found.num_rows:
            yield found.to_pydict()


def said_transitions(store: Reader, share: Share = EVERYBODY) -> pa.Table:
    """What holds according to the store, without ``withdrawn`` and ``version``."""
    query = f"SELECT {', '.join(SAID)} FROM transitions_rows FINAL WHERE {share.holds('person_id')}"
    found = _table(store, f"{query} SETTINGS do_not_merge_across_partitions_select_final = 1")
    return found.cast(pa.schema([TRANSITION_ROWS.field(name) for name in SAID]))


def newest(rows: pa.Table) -> pa.Table:
    """The rows that hold, of some that were said one after the other; without ``withdrawn`` and ``version``."""
    numbered = rows.append_column("at", pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(list(KEY)).aggregate([("at", "max")])["at_max"]
    held = rows.take(last)
    return held.filter(pc.invert(held["withdrawn"])).select(SAID)


def within(rows: pa.Table, since: int, of_persons: Mapping[tuple[str, str], int]) -> pa.Table:
    """Rows that are not older, and of some persons (site, person) not older than they say."""
    time = rows["time"].cast(pa.int64())
    is_in = pc.greater_equal(time, since)
    if of_persons:
        places = zip(rows["site"].to_pylist(), rows["person_id"].to_pylist(), strict=True)
        bounds = pa.array([of_persons.get(place, since) for place in places], pa.int64())
        is_in = pc.and_(is_in, pc.greater_equal(time, bounds))
    return rows.filter(is_in)


class Difference(NamedTuple):
    """``withdrawn``: keys that do not hold any more. ``gone``: rows as they were. ``said``: rows as they are."""

    withdrawn: pa.Table
    gone: pa.Table
    said: pa.Table

    def rows(self, version: int) -> pa.Table:
        """What is to be written."""
        parts = [(self.withdrawn, True), (self.said, False)]
        return pa.concat_tables(_versioned(rows, withdrawn, version) for rows, withdrawn in parts)


def difference(before: pa.Table, after: pa.Table) -> Difference:
    """Rows that are the same on both sides are left alone."""
    every = list(SAID)
    return Difference(
        before.join(after, list(KEY), join_type="left anti").select(SAID),
        before.join(after, every, join_type="left anti").select(SAID),
        after.join(before, every, join_type="left anti").select(SAID),
    )


def changes(found: Difference) -> Iterator[tuple[tuple[str, str, str, str], int]]:
    """(site, model, stage left, stage entered), how many more or less."""
    yield from _counted(found, ("site", "model", "from_stage", "to_stage"))


def stays(found: Difference) -> Iterator[tuple[tuple[str, str, str, int, bool], int]]:
    """(site, model, stage that was left, minute, was it a lapse), how many more or less."""
    left = Difference(*(_with_minute(rows.filter(pc.not_equal(rows["from_stage"], ""))) for rows in found))
    yield from _counted(left, ("site", "model", "from_stage", "minute", "is_lapse"))


def regressions(found: Difference, watched: Sequence[str]) -> Iterator[tuple[tuple[str, str, str, int], int]]:
    """(site, person, model, time) in the watched models, 1 or -1."""
    names = ("site", "person_id", "model", "time")
    for rows, sign in ((found.gone, -1), (found.said, 1)):
        is_one = pc.and_(
            pc.equal(rows["kind"], "regress"), pc.is_in(rows["model"], pa.array(watched, pa.string()))
        )
        some = rows.filter(is_one).select(names)
        some = some.set_column(3, "time", some["time"].cast(pa.int64()))
        for row in zip(*some.to_pydict().values(), strict=True):
            yield row, sign


def _counted(found: Difference, names: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], int]]:
    totals: dict[tuple[Any, ...], int] = {}
    for rows, sign in ((found.gone, -1), (found.said, 1)):
        for *key, count in zip(*_groups(rows, names).values(), strict=True):
            totals[tuple(key)] = totals.get(tuple(key), 0) + sign * count
    yield from ((key, net) for key, net in totals.items() if net)


def _groups(rows: pa.Table, names: Sequence[str]) -> Mapping[str, list[Any]]:
    counted = rows.group_by(list(names)).aggregate([([], "count_all")])
    found: Mapping[str, list[Any]] = counted.select([*names, "count_all"]).to_pydict()
    return found


def _with_minute(rows: pa.Table) -> pa.Table:
    time = rows["time"].cast(pa.int64())
    minute = pc.multiply(
        pc.floor(pc.divide(time.cast(pa.float64()), float(MINUTE_MS))).cast(pa.int64()), MINUTE_MS
    )
    return rows.append_column("minute", minute).append_column("is_lapse", pc.equal(rows["to_stage"], ""))


def _versioned(rows: pa.Table, withdrawn: bool, version: int) -> pa.Table:
    size = rows.num_rows
    rows = rows.append_column("withdrawn", pa.repeat(pa.scalar(withdrawn), size))
    rows = rows.append_column("version", pa.repeat(pa.scalar(version, pa.int64()), size))
    return rows.cast(TRANSITION_ROWS)


def _table(store: Reader, query: str) -> pa.Table:
    return pa.ipc.open_stream(store.raw(query, "ArrowStream")).read_all()
