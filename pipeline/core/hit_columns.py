"""Judged hits as the columns in which they are stored: most of them are the hits' own fields, as they came."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import astuple

from pipeline.core.channels import Traffic, language
from pipeline.core.devices import Device
from schemas.hit import ABSENT, Campaign, Hit
from schemas.rows import HIT_ROWS

Read = tuple[Hit, int, bool, int, int]  # hit, event time, was it clamped, received time, offset
Judged = tuple[Read, Traffic, Device, str, bool, str]  # read, traffic, device, outcome, goal, session id
Columns = dict[str, Sequence[Any]]
_TRAFFIC = ("channel", *(f"campaign_{name}" for name in Campaign.__struct_fields__))
_DEVICE = ("device", "browser", "os", "bot")


def micros(amount: float | None) -> int | None:
    """An amount of money in millionths of its unit."""
    return None if amount is None else round(amount * 1e6)


def columns_of(judged: list[Judged], partition: int) -> Columns:
    """The hits as columns: most of them are a hit's own fields as they came."""
    reads, traffics, devices, outcomes, goals, sessions = zip(*judged, strict=True)
    hits, times, clamped, received, offsets = zip(*reads, strict=True)
    fields = dict(zip(Hit.__struct_fields__, zip(*map(astuple, hits), strict=True), strict=True))
    columns: Columns = {name: fields[name] for name in HIT_ROWS.names if name in fields}
    columns |= zip(_TRAFFIC, zip(*traffics, strict=True), strict=True)
    columns |= zip(_DEVICE, zip(*devices, strict=True), strict=True)
    persons = [user or visitor for user, visitor in zip(fields["user_id"], fields["visitor_id"], strict=True)]
    columns |= {
        "person_id": persons,
        "event_time": times,
        "received_time": received,
        "clock_clamped": clamped,
        "revenue_micros": list(map(micros, fields["revenue"])),
        "language": [tags and language(tags) for tags in fields["language"]],
        "items": [None if raw is ABSENT else bytes(raw).decode() for raw in fields["items"]],
        "props": [None if raw is ABSENT else bytes(raw).decode() for raw in fields["props"]],
        "outcome": outcomes,
        "goal": goals,
        "session_id": sessions,
        "source_partition": [partition] * len(judged),
        "source_offset": offsets,
    }
    return columns
