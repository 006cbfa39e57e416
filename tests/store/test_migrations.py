"""Migrations are applied once and never change; a store newer than the program is refused; TTL follows the
setting.
"""

import re
from pathlib import Path

import pytest

from pipeline.store.client import Client, connect
from pipeline.store.errors import StoreMismatchError
from pipeline.store.migrations import EVENT_TIMES, Migration, apply_ttl, bundled, migrate, planned, statements
from schemas.rows import TABLES


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in bundled()] == list(range(1, len(bundled()) + 1))


def test_a_second_start_applies_nothing(client: Client) -> None:
    assert migrate(client) == []
    assert client.query("SELECT count() FROM masir_migrations FINAL") == [(len(bundled()),)]


def test_what_is_missing_is_applied_in_order(client: Client) -> None:
    more = [*bundled(), Migration(98, "0098_a.sql", "CREATE TABLE a (x UInt8) ENGINE = Memory;"),
            Migration(99, "0099_b.sql", "INSERT INTO a VALUES (1);")]  # fmt: skip
    assert migrate(client, migrations=more) == ["0098_a.sql", "0099_b.sql"]
    assert client.query("SELECT x FROM a") == [(1,)]
    assert migrate(client, migrations=more) == []
    assert client.query("SELECT x FROM a") == [(1,)]


def definitions(client: Client) -> dict[str, str]:
    found = client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    )
    return {name: re.sub(r" UUID '[^']*'", "", definition) for name, definition in found}


def test_a_new_store_is_like_one_that_was_upgraded_again_and_again(data: Path) -> None:
    with connect(data / "upgraded") as upgraded:
        for count in range(1, len(bundled()) + 1):
            migrate(upgraded, migrations=bundled()[:count])
        expected = definitions(upgraded)
    with connect(data / "new") as new:
        migrate(new)
        assert definitions(new) == expected


def test_a_view_is_made_once_as_its_last_migration_has_it_and_after_those_it_reads() -> None:
    table, c = "CREATE TABLE t (x UInt8) ENGINE = Memory", "CREATE OR REPLACE VIEW c AS SELECT 1"
    a, b = "CREATE OR REPLACE VIEW a AS SELECT x FROM t", "CREATE OR REPLACE VIEW b AS SELECT y FROM a"
    again = "CREATE OR REPLACE VIEW a AS SELECT x, y FROM (c)"
    missing = [Migration(1, "0001", f"{a};\n{b};\n{c};"), Migration(2, "0002", f"{again};\n{table};")]
    assert planned(missing) == [("0002", table), ("0001", c), ("0002", again), ("0001", b)]


def test_a_changed_migration_is_named(client: Client) -> None:
    first, *rest = bundled()
    changed = first._replace(sql=first.sql + "\n-- a comment\n")
    with pytest.raises(StoreMismatchError, match=first.name):
        migrate(client, migrations=[changed, *rest])


def test_a_newer_store_is_refused(client: Client) -> None:
    with pytest.raises(StoreMismatchError, match="newer Masir"):
        migrate(client, migrations=bundled()[:-1])


def test_a_failing_migration_is_named_and_not_recorded(client: Client) -> None:
    broken = [*bundled(), Migration(98, "0098_broken.sql", "CREATE TABLE;")]
    with pytest.raises(StoreMismatchError, match=r"0098_broken\.sql"):
        migrate(client, migrations=broken)
    assert client.query("SELECT count() FROM masir_migrations FINAL") == [(len(bundled()),)]


def test_statements_end_at_a_semicolon_that_ends_a_line() -> None:
    assert statements("-- a; b;\nSELECT ';' AS x,\n 1;\n\nSELECT 2;\n") == [
        "SELECT ';' AS x,\n 1",
        "SELECT 2",
    ]


def ttl_of(client: Client, table: str) -> str:
    ((definition,),) = client.query(
        f"SELECT create_table_query FROM system.tables WHERE name = '{table}_rows'"
    )
    return str(definition)


@pytest.mark.parametrize("table", EVENT_TIMES)
def test_ttl_follows_the_setting(client: Client, table: str) -> None:
    assert "TTL" not in ttl_of(client, table)
    apply_ttl(client, {table: 30})
    assert "toIntervalDay(30)" in ttl_of(client, table)
    apply_ttl(client, {table: 40})
    assert "toIntervalDay(40)" in ttl_of(client, table)
    apply_ttl(client, {})
    assert "TTL" not in ttl_of(client, table)


def test_ttl_forgets_old_rows_and_keeps_new_ones(client: Client) -> None:
    client.command("INSERT INTO hits_rows (site, event_time) VALUES ('old', '2020-01-01'), ('new', now64(3))")
    apply_ttl(client, {"hits": 30})
    client.command("OPTIMIZE TABLE hits_rows FINAL")
    assert client.query("SELECT site FROM hits") == [("new",)]


def test_an_unknown_table_is_refused_with_what_is_allowed(client: Client) -> None:
    with pytest.raises(StoreMismatchError, match=r"hitz.*hits, sessions"):
        apply_ttl(client, {"hitz": 1})
    assert EVENT_TIMES.keys() < TABLES.keys()
