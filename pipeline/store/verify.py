"""Stream equals batch: recomputes what the stream said from the stored hits, in SQL, and names each row
that differs.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from pipeline.store.checks import Check, Rules, checks
from pipeline.store.client import Reader, rows

MAX_DIFFERENCES: Final = 100  # per check: what is wrong a million times need not be shown a million times


class Difference(Struct, frozen=True):
    """One row that differs. ``stream``, ``batch``: the fields that differ; None: no such row there."""

    check: str
    key: dict[str, Any]
    stream: dict[str, Any] | None
    batch: dict[str, Any] | None


def verify(reader: Reader, rules: Rules, more: Sequence[Check] = ()) -> dict[str, list[Difference]]:
    """Check -> its differences, the first :data:`MAX_DIFFERENCES`; empty lists when all is well.

    ``more``: checks that follow from other settings. Rows may still be on their way while hits flow in: what differs
    then must be asked again.
    """
    found: dict[str, list[Difference]] = {}
    for check in (*checks(rules), *more):
        found |= _run(reader, check)
    return found


def lasting(
    before: dict[str, list[Difference]], after: dict[str, list[Difference]]
) -> dict[str, list[Difference]]:
    """The differences that stood ``before`` and still do: not those of rows that were merely on their way."""
    return {
        check: [difference for difference in found if difference in before[check]]
        for check, found in after.items()
    }


def _run(reader: Reader, check: Check) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {f"{check.name}.{model}": [] for model in check.models}
    limit = f"LIMIT {MAX_DIFFERENCES}" + (" BY key.model" if found else "")
    for row in rows(reader, f"SELECT * FROM ({check.sql}) {limit}"):
        name = f"{check.name}.{row['key']['model']}" if check.models else check.name
        found.setdefault(name, []).append(_difference(name, row))
    return found or {check.name: []}


def _difference(check: str, row: dict[str, Any]) -> Difference:
    if row.keys() != {"key", "stream", "batch"}:
        return Difference(check, row, None, None)
    stream, batch = row["stream"], row["batch"]
    if stream is not None and batch is not None and stream.keys() == batch.keys():
        differing = [name for name in stream if stream[name] != batch[name]]
        stream = {name: stream[name] for name in differing}
        batch = {name: batch[name] for name in differing}
    return Difference(check, row["key"], stream, batch)
