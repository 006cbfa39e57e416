"""Judged hits as the columns in which they are stored: most of them are the hits' own fields, as they came."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.core.coded import Coded, combined, rows_at
from pipeline.core.money import micros
from pipeline.core.reading import Reading
from pipeline.core.slots import Array, Index
from schemas.hit import ABSENT, Campaign
from schemas.rows import HIT_ROWS

Columns = dict[str, Sequence[Any] | Array]
TRAFFIC = ("channel", *(f"campaign_{name}" for name in Campaign.__struct_fields__))
DEVICE = ("device", "browser", "os", "bot")


def own_columns(reading: Reading, partition: int) -> Columns:
    """What a hit brings with it, and whose it is: the reading's fields have ``person_id``, too."""
    fields = reading.fields
    columns: Columns = {name: fields[name] for name in HIT_ROWS.names if name in fields}
    return columns | {
        "event_time": reading.time,
        "received_time": reading.received,
        "clock_clamped": reading.clamped,
        "revenue_micros": _micros(fields["revenue"]),
        "items": _texts(fields["items"]),
        "props": _texts(fields["props"]),
        "source_partition": np.full(len(reading), partition),
        "source_offset": reading.offset,
    }


def coded_columns(names: Sequence[str], codes: Index, table: Sequence[tuple[Any, ...]]) -> Columns:
    """One column for each of the first parts of the tuples in ``table``; a row's tuple is named by its code."""
    used = Coded(codes, table).compact()
    parts = zip(*[value[: len(names)] for value in used.values], strict=True)
    return {name: Coded(used.codes, part) for name, part in zip(names, parts, strict=True)}


def picked(columns: Columns, places: Index) -> Columns:
    """The columns of some rows."""
    return {name: rows_at(column, places) for name, column in columns.items()}


def person_ids(users: Coded, visitors: Coded) -> Coded:
    """The user's id, or the visitor's where there is no user."""
    if len(users.values) == 1:
        return visitors
    return combined(users, visitors).map(lambda ids: ids[0] or ids[1])


def _micros(amounts: list[float | None]) -> list[int | None]:
    if amounts.count(None) == len(amounts):
        return [None] * len(amounts)
    return [None if amount is None else micros(amount) for amount in amounts]


def _texts(raws: list[Any]) -> list[str | None]:
    if raws.count(ABSENT) == len(raws):
        return [None] * len(raws)
    return [None if raw is ABSENT else bytes(raw).decode() for raw in raws]
