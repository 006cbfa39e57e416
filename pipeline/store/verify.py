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


def verify(
    reader: Reader, rules: Rules, model_checks: Sequence[tuple[str, str]] = ()
) -> dict[str, list[Difference]]:
    """Check -> its differences, the first :data:`MAX_DIFFERENCES`; empty lists when all is well.

    ``model_checks``: (name, SQL) pairs of further checks, whose rows are all differences.
    Rows may still be on their way while hits flow in: what differs then must be asked again.
    """
    every = [*checks(rules), *(Check(name, sql) for name, sql in model_checks)]
    return {check.name: _run(reader, check) for check in every}


def lasting(
    before: dict[str, list[Difference]], after: dict[str, list[Difference]]
) -> dict[str, list[Difference]]:
    """The differences that stood ``before`` and still do: not those of rows that were merely on their way."""
    return {
        check: [difference for difference in found if difference in before[check]]
        for check, found in after.items()
    }


def _run(reader: Reader, check: Check) -> list[Difference]:
    found = rows(reader, f"SELECT * FROM ({check.sql}) LIMIT {MAX_DIFFERENCES}")
    return [_difference(check.name, row) for row in found]


def _difference(check: str, row: dict[str, Any]) -> Difference:
    if row.keys() != {"key", "stream", "batch"}:
        return Difference(check, row, None, None)
    stream, batch = row["stream"], row["batch"]
    if stream is not None and batch is not None and stream.keys() == batch.keys():
        differing = [name for name in stream if stream[name] != batch[name]]
        stream = {name: stream[name] for name in differing}
        batch = {name: batch[name] for name in differing}
    return Difference(check, row["key"], stream, batch)
