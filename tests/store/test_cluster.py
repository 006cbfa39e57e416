"""The DDL of a cluster: what it says, and that views over its Distributed tables say what those of one server do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.clickhouse import ClickHouse
from pipeline.store.checks import Rules
from pipeline.store.client import Client, Server, connect
from pipeline.store.cluster import on_cluster
from pipeline.store.migrations import EVENT_TIMES, apply_ttl, bundled, migrate, statements
from pipeline.store.sink import Sink
from pipeline.store.verify import verify
from pipeline.store.views import export_views
from schemas.erasure import Erasure

from .kit import hit, hit_table, store_what_the_stream_says

CONFIG = """
<clickhouse>
    <tcp_port>9</tcp_port>
    <remote_servers><main><shard><replica><host>localhost</host><port>9</port></replica></shard></main></remote_servers>
    <macros><shard>1</shard><replica>a</replica></macros>
</clickhouse>
"""
HITS = [hit(at * 60_000, visitor, event="heartbeat") for at in range(40) for visitor in ("ann", "bob")]
OURS = [statement for migration in bundled() for statement in statements(migration.sql)]


def of_cluster(statement: str, *tables: str) -> list[str]:
    return on_cluster(statement, cluster="main", database="masir", exists=tables.__contains__)


def test_a_large_table_is_local_and_replicated_and_distributed_by_what_names_its_rows() -> None:
    local, distributed = of_cluster(
        "CREATE TABLE IF NOT EXISTS x_rows\n(a String, at DateTime, v UInt64)\n"
        "ENGINE = ReplacingMergeTree(v)\nPARTITION BY toYYYYMM(at)\nORDER BY (a, at)\nSETTINGS index_granularity = 1"
    )
    assert local == (
        "CREATE TABLE IF NOT EXISTS x_rows_local ON CLUSTER 'main'\n(a String, at DateTime, v UInt64)\n"
        "ENGINE = ReplicatedReplacingMergeTree(v)\nPARTITION BY toYYYYMM(at)\nORDER BY (a, at)\n"
        "SETTINGS index_granularity = 1"
    )
    assert distributed == (
        "CREATE TABLE IF NOT EXISTS x_rows ON CLUSTER 'main' AS x_rows_local "
        "ENGINE = Distributed('main', 'masir', 'x_rows_local', cityHash64(a, at))"
    )


@pytest.mark.parametrize(
    ("engine", "arguments"), [("ReplacingMergeTree", ""), ("ReplacingMergeTree(v)", ", v")]
)
def test_a_small_table_is_whole_on_every_server(engine: str, arguments: str) -> None:
    (made,) = of_cluster(
        f"CREATE TABLE IF NOT EXISTS x_rows (a String, v UInt64) ENGINE = {engine} ORDER BY a"
    )
    path = "'/clickhouse/tables/{database}/{table}', '{shard}-{replica}'"
    assert made == (
        "CREATE TABLE IF NOT EXISTS x_rows ON CLUSTER 'main' (a String, v UInt64) "
        f"ENGINE = ReplicatedReplacingMergeTree({path}{arguments}) ORDER BY a"
    )


def test_what_changes_a_table_changes_its_local_one_too() -> None:
    column = "ALTER TABLE x_rows ADD COLUMN b String"
    assert of_cluster(column) == ["ALTER TABLE x_rows ON CLUSTER 'main' ADD COLUMN b String"]
    assert of_cluster(column, "x_rows_local") == [
        "ALTER TABLE x_rows_local ON CLUSTER 'main' ADD COLUMN b String",
        "ALTER TABLE x_rows ON CLUSTER 'main' ADD COLUMN b String",
    ]


def test_rows_are_removed_from_the_local_tables() -> None:
    remove = "ALTER TABLE x_rows DELETE WHERE 1 SETTINGS mutations_sync = 2"
    assert of_cluster(remove, "x_rows_local") == [
        "ALTER TABLE x_rows_local ON CLUSTER 'main' DELETE WHERE 1 SETTINGS mutations_sync = 2"
    ]
    assert of_cluster(remove) == [
        "ALTER TABLE x_rows ON CLUSTER 'main' DELETE WHERE 1 SETTINGS mutations_sync = 2"
    ]


def test_views_are_made_everywhere_and_rows_are_rows() -> None:
    (view,) = of_cluster("CREATE OR REPLACE VIEW x AS\nSELECT 1")
    assert view == "CREATE OR REPLACE VIEW x ON CLUSTER 'main' AS\nSELECT 1"
    insert = "INSERT INTO x_rows (a) VALUES ('CREATE TABLE')"
    assert of_cluster(insert) == [insert]


def test_the_engine_can_read_all_of_it(client: Client) -> None:
    made = [each for statement in OURS for each in of_cluster(statement)]
    assert len(made) > len(OURS)
    for statement in made:
        assert "ON CLUSTER 'main'" in statement
        assert "ENGINE = Replacing" not in statement, "not replicated"
        assert client.query(f"EXPLAIN AST {statement}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A cluster of one shard, whose tables are Distributed nevertheless."""
    directory = tmp_path_factory.mktemp("cluster")
    config = directory / "config.xml"
    config.write_text(CONFIG)
    with (
        ClickHouse(directory / "ch", config=config) as server,
        connect(Server(server.url, cluster="main")) as client,
    ):
        migrate(client)
        yield client


def test_views_over_distributed_tables_are_those_of_one_server(
    servers: Client, client: Client, tmp_path: Path
) -> None:
    for name, each in (("many", servers), ("one", client)):
        sink = Sink(each)
        store_what_the_stream_says(sink, HITS, Rules())
        sink.insert("hits", hit_table(HITS), "again")
        export_views(each, tmp_path / name)
        assert not any(verify(each, Rules()).values())
    views = {file.name: file.read_bytes() for file in (tmp_path / "many").iterdir()}
    assert views == {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert len(views["hits.tsv"].splitlines()) == len(HITS) + 1
    engines = dict(servers.query("SELECT name, engine FROM system.tables WHERE database = currentDatabase()"))
    assert engines["hits_rows"] == "Distributed"
    assert engines["hits_rows_local"] == engines["ledger_rows"] == "ReplacingMergeTree"


def test_a_block_is_taken_once_through_a_distributed_table(servers: Client) -> None:
    servers.command("TRUNCATE TABLE hits_rows_local")
    sink = Sink(servers)
    for token in ("a token", "a token"):
        sink.insert("hits", hit_table(HITS), token)
    assert servers.query("SELECT count() FROM hits_rows") == [(len(HITS),)]


def test_a_person_is_erased_on_all_servers(servers: Client) -> None:
    for table in ("hits_rows_local", "sessions_rows_local"):
        servers.command(f"TRUNCATE TABLE {table}")
    store_what_the_stream_says(Sink(servers), HITS, Rules())
    ((site, before),) = servers.query("SELECT site, count() FROM hits_rows GROUP BY site")
    removed = Sink(servers).erase(Erasure(1, site, visitors=frozenset({"ann"})))
    assert removed["hits_rows"] == before // 2
    assert removed["sessions_rows"] > 0
    for table in ("hits_rows", "hits_rows_local", "sessions_rows", "sessions_rows_local"):
        assert servers.query(f"SELECT DISTINCT visitor_id FROM {table}") == [("bob",)]
    assert Sink(servers).erase(Erasure(2, site, visitors=frozenset({"ann"}))) == {}


def test_a_second_start_applies_nothing(servers: Client) -> None:
    assert migrate(servers) == []


@pytest.mark.parametrize("table", EVENT_TIMES)
def test_ttl_is_that_of_the_local_table(servers: Client, table: str) -> None:
    def made() -> str:
        name = f"{table}_rows_local"
        return str(servers.query(f"SELECT create_table_query FROM system.tables WHERE name = '{name}'")[0][0])

    apply_ttl(servers, {table: 30})
    assert "toIntervalDay(30)" in made()
    apply_ttl(servers, {})
    assert "TTL" not in made()
