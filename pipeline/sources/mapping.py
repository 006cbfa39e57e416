"""What becomes of a table's columns: ``--map FIELD=COLUMN[:UNIT]``, ``--set FIELD=VALUE``, or a TOML file.

A FIELD is one of the hit (schemas/hit.py), or ``props.NAME``, or ``campaign.NAME``. Only times have a
UNIT (see times.py). A COLUMN with braces is a template of columns: ``url=https://shop.example/{page}``. The
file:

    delimiter = ";"           # else: the first of tab , ; | that the header has most of
    quote = ""                # no quoting; else: none for tabs, '"' for the others
    columns = ["who", "when"] # for a file without a header
    [set]
    site = "shop"
    [map]
    time = "when:s"
    [values.event]            # values of that field's column -> values of the hit; others stay as they are
    home = "page_view"

Errors: :class:`SourceError` naming the file or the option and what is allowed.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from pipeline.core.decode import Flaw, decode
from pipeline.sources.errors import SourceError
from pipeline.sources.times import time_converter
from schemas.hit import Campaign, Hit

TIMES = ("time", "sent_time", "received_time")
NUMBERS = ("revenue", "score", "scale")
_OBJECTS = ("props", "campaign", "items")
FIELDS = tuple(name for name in Hit.__struct_fields__ if name not in _OBJECTS)


class Column(NamedTuple):
    """``source``: a column's name, or a template when it has braces."""

    source: str
    unit: str = ""


class Mapping(NamedTuple):
    """Checked: every field is known and constants are what the judge of hits takes."""

    columns: dict[str, Column]
    constants: dict[str, str | float]
    values: dict[str, dict[str, str]]
    delimiter: str = ""
    quote: str | None = None
    header: tuple[str, ...] = ()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    map: dict[str, str] = {}
    set: dict[str, str | int | float] = {}
    values: dict[str, dict[str, str]] = {}
    columns: tuple[str, ...] = ()
    delimiter: Annotated[str, Meta(max_length=1)] = ""
    quote: Annotated[str, Meta(max_length=1)] | None = None


def parse_mapping(maps: Sequence[str], sets: Sequence[str]) -> Mapping:
    """``maps``: ``field=column`` or a TOML file; ``sets``: ``field=value``. The later one wins."""
    file = _File()
    for option in maps:
        if "=" in option:
            field, _, source = option.partition("=")
            file.map[field.strip()] = source.strip()
        else:
            file = _merged(file, _read(option))
    for option in sets:
        field, equals, value = option.partition("=")
        if not equals:
            raise SourceError(f"--set {option}: FIELD=VALUE is expected, such as event=page_view")
        file.set[field.strip()] = value
    columns = {_checked(field): _column(field, source) for field, source in file.map.items()}
    constants = {_checked(field): _constant(field, value) for field, value in file.set.items()}
    _check_constants(constants)
    for field in file.values:
        if field not in columns:
            raise SourceError(f"[values.{field}]: {field} is not mapped to a column")
    return Mapping(columns, constants, file.values, file.delimiter, file.quote, file.columns)


def check_complete(mapping: Mapping) -> None:
    """A hit needs a site, an event and at least one of the two ids."""
    known = mapping.columns.keys() | mapping.constants.keys()
    missing = [field for field in ("site", "event") if field not in known]
    if not known & {"visitor_id", "user_id"}:
        missing.append("visitor_id (or user_id)")
    if missing:
        raise SourceError(
            f"no value for {', '.join(missing)}: add --map FIELD=COLUMN or --set FIELD=VALUE for each"
        )


def nested(constants: dict[str, str | float]) -> dict[str, Any]:
    """``props.a`` and ``campaign.a`` in objects of their own."""
    hit: dict[str, Any] = {}
    for field, value in constants.items():
        parent, key = split_field(field)
        if parent:
            hit.setdefault(parent, {})[key] = value
        else:
            hit[key] = value
    return hit


def split_field(field: str) -> tuple[str, str]:
    """(parent or "", key)."""
    parent, dot, key = field.partition(".")
    return (parent, key) if dot else ("", field)


def _read(path: str) -> _File:
    try:
        return msgspec.convert(tomllib.loads(Path(path).read_text("utf-8")), _File)
    except OSError as error:
        message = f"cannot be read: {error.strerror}; --map takes FIELD=COLUMN or a TOML file"
        raise SourceError(message, path) from error
    except (ValueError, msgspec.ValidationError) as error:  # TOMLDecodeError says line and column itself
        raise SourceError(str(error), path) from error


def _merged(old: _File, new: _File) -> _File:
    return _File(
        old.map | new.map,
        old.set | new.set,
        old.values | new.values,
        new.columns or old.columns,
        new.delimiter or old.delimiter,
        old.quote if new.quote is None else new.quote,
    )


def _checked(field: str) -> str:
    parent, dot, name = field.partition(".")
    if dot and name and parent == "props":
        return field
    if dot and parent == "campaign" and name in Campaign.__struct_fields__:
        return field
    if field in FIELDS:
        return field
    campaign = ", ".join(f"campaign.{name}" for name in Campaign.__struct_fields__)
    raise SourceError(f"unknown field '{field}'; allowed: {', '.join(FIELDS)}, {campaign}, props.NAME")


def _column(field: str, source: str) -> Column:
    if not source:
        raise SourceError(f"--map {field}=: a column is expected after the sign")
    if field not in TIMES or "{" in source:
        return Column(source)
    name, _, unit = source.partition(":")
    time_converter(unit)  # a wrong unit is an error now, not at the first row
    return Column(name, unit)


def _constant(field: str, value: str | float) -> str | float:
    if field not in (*NUMBERS, *TIMES) or isinstance(value, int | float):
        return value
    try:
        return int(value) if field in TIMES and value.isdigit() else float(value)
    except ValueError as error:
        if field in TIMES:
            return value
        raise SourceError(f"--set {field}={value}: a number is expected") from error


def _check_constants(constants: dict[str, str | float]) -> None:
    """As they would be judged in each hit: better one error now than a dead letter for each."""
    needed = {"site": "-", "event": "-", "visitor_id": "-", "user_id": "-"}
    flaw = decode(msgspec.json.encode(needed | nested(constants)))
    if isinstance(flaw, Flaw):
        raise SourceError(f"the value of {flaw.field} for every hit: {flaw.message}")
