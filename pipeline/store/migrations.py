"""Brings the tables to the state this program knows: numbered SQL files, each applied once, in order.

A view that several of the missing files make is made once, as the last of them has it: a new store takes half the time.
What was applied stands in ``masir_migrations`` with a checksum. An applied file must never change; a store
that has migrations unknown to this program belongs to a newer one. Both raise StoreMismatchError and change
nothing.
"""

import re
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from pipeline.store.client import Client, Reader, rows
from pipeline.store.cluster import shown
from pipeline.store.errors import QueryError, StoreMismatchError

EVENT_TIMES: Mapping[str, str] = {
    "hits": "event_time",
    "sessions": "start_time",
    "transitions": "time",
    "signals": "time",
    "attribution": "time",
    "counters": "pane_start",
    "dead_letters": "received_time",
}
"""Tables that can forget by age, and the column that tells the age."""

_NAME = re.compile(r"(\d{4})_\w+\.sql")
_END_OF_STATEMENT = re.compile(r";\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+)")
_READ = re.compile(r"\b(?:FROM|JOIN|IN)\s+\(?\s*(\w+)")
_TTL_DAYS = re.compile(r"TTL toDateTime\(\w+\) \+ toIntervalDay\((\d+)\)")
_LOG_TABLE = """
CREATE TABLE IF NOT EXISTS masir_migrations
(number UInt32, name String, checksum String, applied_time DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree ORDER BY number
"""


class Migration(NamedTuple):
    """One file of ``schemas/clickhouse``."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Of the text, so that a change is noticed."""
        return sha256(self.sql.encode()).hexdigest()


def bundled() -> list[Migration]:
    """The migrations this program was shipped with, in order."""
    found = []
    for file in files("schemas").joinpath("clickhouse").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    return sorted(found)


def migrate(
    client: Client,
    *,
    ttl_days: Mapping[str, int | None] | None = None,
    migrations: list[Migration] | None = None,
) -> list[str]:
    """Apply what is missing; returns the names. ``ttl_days``: table -> days kept; absent: for ever."""
    known = bundled() if migrations is None else migrations
    client.command(_LOG_TABLE)
    applied = client.query("SELECT number, name, checksum FROM masir_migrations FINAL ORDER BY number")
    _check(known, applied)
    done = {number for number, _, _ in applied}
    missing = [migration for migration in known if migration.number not in done]
    for name, statement in planned(missing):
        try:
            client.command(statement)
        except QueryError as error:
            raise StoreMismatchError(f"{name} cannot be applied to this store: {error}") from error
    if missing:
        log = ", ".join(f"({one.number}, '{one.name}', '{one.checksum}')" for one in missing)
        client.command(f"INSERT INTO masir_migrations (number, name, checksum) VALUES {log}")
    apply_ttl(client, ttl_days or {})
    client.look_after_disk()
    return [migration.name for migration in missing]


def planned(missing: Sequence[Migration]) -> list[tuple[str, str]]:
    """(name of the migration, statement): tables in order, then each view once, after those that it reads."""
    others: list[tuple[str, str]] = []
    views: dict[str, tuple[str, str]] = {}
    for migration in missing:
        for statement in statements(migration.sql):
            if view := _VIEW.match(statement):
                views[view[1]] = migration.name, statement
            else:
                others.append((migration.name, statement))
    reads = {view: sorted(views.keys() & _READ.findall(statement)) for view, (_, statement) in views.items()}
    return others + [views[view] for view in TopologicalSorter(reads).static_order()]


def check_applied(reader: Reader) -> None:
    """Views of another version say what this one does not mean, or lack columns that it asks for."""
    applied = rows(reader, "SELECT number, name, checksum FROM masir_migrations FINAL ORDER BY number")
    known = bundled()
    _check(known, [(row["number"], row["name"], row["checksum"]) for row in applied])
    if len(applied) < len(known):
        raise StoreMismatchError(
            f"the store was made by an older Masir: it has {len(applied)} of {len(known)} migrations; "
            "start `masir run` or `masir worker` once: it applies the others"
        )


def statements(sql: str) -> list[str]:
    """The statements of a file: each ends with a semicolon that ends a line, comments are whole lines."""
    parts = (part.strip() for part in _END_OF_STATEMENT.split(_COMMENT.sub("", sql)))
    return [part for part in parts if part]


def apply_ttl(client: Client, ttl_days: Mapping[str, int | None]) -> None:
    """Make each table forget rows older than its days; only tables whose setting differs are altered."""
    unknown = ttl_days.keys() - EVENT_TIMES.keys()
    if unknown:
        allowed = ", ".join(EVENT_TIMES)
        raise StoreMismatchError(
            f"ttl_days: no such table: {', '.join(sorted(unknown))}; allowed are {allowed}"
        )
    definitions = client.query(
        "SELECT name, create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    for name, definition in definitions:
        table = shown(name).removesuffix("_rows")
        if table not in EVENT_TIMES:
            continue
        match = _TTL_DAYS.search(definition)
        is_days = int(match[1]) if match else None
        want_days = ttl_days.get(table)
        if want_days == is_days:
            continue
        if want_days is None:
            client.command(f"ALTER TABLE {name} REMOVE TTL")
        else:
            column = EVENT_TIMES[table]
            client.command(f"ALTER TABLE {name} MODIFY TTL toDateTime({column}) + toIntervalDay({want_days})")


def _check(known: list[Migration], applied: list[tuple[int, str, str]]) -> None:
    by_number = {migration.number: migration for migration in known}
    for number, name, checksum in applied:
        migration = by_number.get(number)
        if migration is None:
            raise StoreMismatchError(
                f"the store was made by a newer Masir: it has {name}, this program knows up to "
                f"{max(by_number, default=0):04}; upgrade the program"
            )
        if migration.checksum != checksum:
            raise StoreMismatchError(
                f"{migration.name} was applied to this store with other contents; "
                "an applied migration must not change: put it back and add a new one"
            )
