"""Stream equals batch: recomputes what the stream said from the stored hits in SQL, and names each row that differs."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from pipeline.store.checks import PERSON, VISITOR, Check, Rules, checks
from pipeline.store.client import Reader, rows

MAX_DIFFERENCES: Final = 100  # per check: what is wrong a million times need not be shown a million times
HITS_AT_ONCE: Final = 1_000_000  # what is cut by visitor or person is cut into parts of about so many
# Without short circuits the many conditions take a fifth of the time; pushed down, a filter on what was computed would
# have it computed twice. What does not fit goes to the disk.
_SETTINGS: Final = (
    "short_circuit_function_evaluation = 'disable', query_plan_filter_push_down = 0, join_use_nulls = 0, "
    "max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000"
)
_SOURCES: Final = {
    VISITOR: {"hits": "hits", "sessions": "sessions"},
    PERSON: {
        "hits": "hits",
        "sessions": "sessions",
        "transitions": "transitions",
        "signals": "signals",
        "credits": "attribution_rows FINAL",
    },
}


class Difference(Struct, frozen=True):
    """One row that differs. ``stream``, ``batch``: the fields that differ; None: no such row there."""

    check: str
    key: dict[str, Any]
    stream: dict[str, Any] | None
    batch: dict[str, Any] | None


Found = dict[str, list[Difference]]


def verify(
    reader: Reader,
    rules: Rules,
    more: Sequence[Check] = (),
    *,
    again: Found | None = None,
    hits_at_once: int = HITS_AT_ONCE,
) -> Found:
    """Check -> its differences, the first :data:`MAX_DIFFERENCES`; empty lists when all is well.

    ``more``: checks that follow from other settings. Rows may still be on their way while hits flow in: what differs
    then must be asked ``again``, of the checks that found it only.
    """
    found: Found = {}
    agreed = set[str]()
    parts = 1 + rows(reader, "SELECT count() AS hits FROM hits_rows")[0]["hits"] // hits_at_once
    for check in (*checks(rules), *more):
        if again is not None and not _is_in(again, check):
            continue
        sql = check.shorter if check.shorter and agreed.issuperset(check.given) else check.sql
        of_check = _run(
            reader, check, [_part(sql, check.by, n, parts) for n in range(parts if check.by else 1)]
        )
        found |= of_check
        agreed |= set() if any(of_check.values()) else {check.name}
    return found


def settled(
    ask: Callable[[Found | None], Found], pauses: Iterable[float], sleep: Callable[[float], None] = time.sleep
) -> Found:
    """The differences that stand each time that it is asked, with pauses (seconds) between; none: asked no more.

    Rows of one moment reach the tables one after the other, and later where there is much to do. ``ask``: is told what
    it found when it was asked last, and need not look where nothing was.
    """
    found = ask(None)
    for seconds in pauses:
        if not any(found.values()):
            break
        sleep(seconds)
        found = lasting(found, ask(found))
    return found


def lasting(before: Found, after: Found) -> Found:
    """The differences that stood ``before`` and still do: not those of rows that were merely on their way."""
    return {
        check: [difference for difference in after.get(check, ()) if difference in of_check]
        for check, of_check in before.items()
    }


def _part(sql: str, by: str, part: int, parts: int) -> str:
    """The query of a check, of one part of what is stored: views are cut where they are read, and the answer is, since
    other things are read whole.
    """
    if not by:
        return f"SELECT * FROM ({sql})"
    cut = f"WHERE cityHash64({by}) % {parts} = {part}" if parts > 1 else ""
    views = ", ".join(f"{name} AS (SELECT * FROM {source} {cut})" for name, source in _SOURCES[by].items())
    only = (
        f"WHERE cityHash64(key.site, key.person_id) % {parts} = {part}" if by == PERSON and parts > 1 else ""
    )
    return f"WITH {views} SELECT * FROM ({sql}) {only}"


def _run(reader: Reader, check: Check, queries: Sequence[str]) -> Found:
    found: Found = {f"{check.name}.{model}": [] for model in check.models}
    found = found or {check.name: []}
    limit = f"LIMIT {MAX_DIFFERENCES}" + (" BY key.model" if check.models else "")
    for query in queries:
        for row in rows(reader, f"{query} {limit} SETTINGS {_SETTINGS}"):
            name = f"{check.name}.{row['key']['model']}" if check.models else check.name
            found.setdefault(name, []).append(_difference(name, row))
    return {name: of_check[:MAX_DIFFERENCES] for name, of_check in found.items()}


def _is_in(found: Found, check: Check) -> bool:
    return any(of_check and name.startswith(check.name) for name, of_check in found.items())


def _difference(check: str, row: dict[str, Any]) -> Difference:
    if row.keys() != {"key", "stream", "batch"}:
        return Difference(check, row, None, None)
    stream, batch = row["stream"], row["batch"]
    if stream is not None and batch is not None and stream.keys() == batch.keys():
        differing = [name for name in stream if stream[name] != batch[name]]
        stream = {name: stream[name] for name in differing}
        batch = {name: batch[name] for name in differing}
    return Difference(check, row["key"], stream, batch)
