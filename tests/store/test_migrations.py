"""Migrations are applied once and never change; a store newer than the program is refused; TTL follows the
setting.
"""

import pytest

from pipeline.store.client import Client
from pipeline.store.errors import StoreMismatchError
from pipeline.store.migrations import EVENT_TIMES, Migration, apply_ttl, bundled, migrate, statements
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
