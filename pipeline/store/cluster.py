"""The same DDL on a cluster of ClickHouse servers: one statement of ``schemas/clickhouse`` in, those to run out.

A table with a ``PARTITION BY`` is large: each shard has a part of it, in ``<name>_local``, and ``<name>`` itself is a
Distributed table over the shards. The shard of a row is a hash of its ORDER BY, so all versions of a row meet on one
shard, where FINAL joins them. A table without one is small: every server has all of it, so that joins with it stay
local. All are Replicated; the servers' macros ``shard`` and ``replica`` name the replicas.
Source: https://clickhouse.com/docs/engines/table-engines/mergetree-family/replication
"""

import re
from collections.abc import Callable
from typing import Final

LOCAL: Final = "_local"
SETTINGS: Final = {"distributed_foreground_insert": 1}  # an insert has taken place when it is answered

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+)")
_ALTER = re.compile(r"ALTER TABLE (\w+)")
_ROWS = re.compile(r"ALTER TABLE \w+ (?:DELETE|UPDATE) ")
_ENGINE = re.compile(r"ENGINE = (\w+)(?:\(([^)]*)\))?")
_ORDER_BY = re.compile(r"ORDER BY (\([^)]*\)|\w+)")
_SMALL_PATH: Final = "'/clickhouse/tables/{database}/{table}', '{shard}-{replica}'"


def on_cluster(statement: str, *, cluster: str, database: str, exists: Callable[[str], bool]) -> list[str]:
    """The statements to run instead, in order; one that is no DDL stays as it is. ``exists``: is there this table?"""
    on = f"ON CLUSTER '{cluster}'"
    if found := _TABLE.search(statement):
        return _create(statement, found[1], on, cluster, database)
    if found := _VIEW.match(statement):
        return [_VIEW.sub(rf"\g<0> {on}", statement, count=1)]
    if found := _ALTER.match(statement):
        name = found[1]
        tables = (name + LOCAL, name) if exists(name + LOCAL) else (name,)
        tables = tables[:1] if _ROWS.match(statement) else tables  # a Distributed table has none
        return [_ALTER.sub(f"ALTER TABLE {table} {on}", statement, count=1) for table in tables]
    return [statement]


def shown(name: str) -> str:
    """The table that readers know, of one that :func:`on_cluster` made."""
    return name.removesuffix(LOCAL)


def _create(statement: str, name: str, on: str, cluster: str, database: str) -> list[str]:
    is_large = "PARTITION BY" in statement
    own = name + LOCAL if is_large else name
    engine = _ENGINE.search(statement)
    order_by = _ORDER_BY.search(statement)
    assert engine is not None, statement
    assert order_by is not None, statement
    arguments = ", ".join(filter(None, ("" if is_large else _SMALL_PATH, engine[2] or "")))
    replicated = f"ENGINE = Replicated{engine[1]}" + (f"({arguments})" if arguments else "")
    made = statement[: engine.start()] + replicated + statement[engine.end() :]
    made = _TABLE.sub(f"CREATE TABLE IF NOT EXISTS {own} {on}", made, count=1)
    if not is_large:
        return [made]
    shard = f"cityHash64({order_by[1].strip('()')})"
    return [
        made,
        f"CREATE TABLE IF NOT EXISTS {name} {on} AS {own} "
        f"ENGINE = Distributed('{cluster}', '{database}', '{own}', {shard})",
    ]
