"""The store on a server: clickhouse-connect's HTTP client against the real engine, and what a network does to it."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.clickhouse import ClickHouse
from pipeline.settings import SettingsError, load
from pipeline.store.blocks import CODED, block, join_blocks
from pipeline.store.checks import Rules
from pipeline.store.client import Client, Server, connect, rows
from pipeline.store.errors import (
    QueryError,
    RowsRefusedError,
    StoreMismatchError,
    StoreRefusedError,
    StoreUnavailableError,
)
from pipeline.store.migrations import apply_ttl, bundled, migrate
from pipeline.store.place import open_store, reader_of
from pipeline.store.sink import Sink
from pipeline.store.views import export_views

from .kit import hit, hit_table, store_what_the_stream_says

PASSWORD = "p:@ss/ %wörd"
HITS = [hit(at * 60_000, visitor) for at in range(40) for visitor in ("ann", "bob")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with ClickHouse(tmp_path_factory.mktemp("server") / "ch", user="masir", password=PASSWORD) as started:
        yield started


@pytest.fixture
def remote(server: ClickHouse) -> Iterator[Client]:
    """Its tables, empty."""
    server.disarm()
    with connect(server.url) as client:
        migrate(client)
        for table in ("hits", "sessions", "ledger", "counters", "stages"):
            client.command(f"TRUNCATE TABLE {table}_rows")
        yield client


def stored(client: Client) -> int:
    """Rows of the base table: what a block sent twice would double."""
    ((count,),) = client.query("SELECT count() FROM hits_rows")
    return int(count)


def test_views_are_those_of_the_embedded_store(remote: Client, client: Client, tmp_path: Path) -> None:
    for each in (remote, client):
        store_what_the_stream_says(Sink(each), HITS, Rules())
    for name, each in (("remote", remote), ("embedded", client)):
        export_views(each, tmp_path / name)
    said = {file.name: file.read_bytes() for file in (tmp_path / "remote").iterdir()}
    assert said == {file.name: file.read_bytes() for file in (tmp_path / "embedded").iterdir()}
    assert len(said["sessions.tsv"].splitlines()) > 2


def test_blocks_with_coded_texts(remote: Client) -> None:
    rows = hit_table(HITS * 10).to_pydict()
    coded = join_blocks("hits", [block("hits", rows)])
    assert coded.schema.field("site").type == CODED
    Sink(remote).insert("hits", coded, "t")
    assert remote.query("SELECT count(), min(visitor_id), max(visitor_id) FROM hits_rows") == [
        (10 * len(HITS), "ann", "bob")
    ]


def test_parameters_settings_and_times(remote: Client) -> None:
    assert remote.query("SELECT {x:String}, currentDatabase(), timezone()", {"x": "a'b"})[0][:2] == (
        "a'b",
        "masir",
    )
    assert remote.query("SELECT getSetting('session_timezone')") == [("UTC",)]
    assert rows(remote, "SELECT toUInt64(18446744073709551615) AS most") == [{"most": 2**64 - 1}]


def test_rows_by_the_drivers_native_insert(remote: Client) -> None:
    columns = ["model", "stage", "position", "version"]
    remote._driver.insert("stages_rows", [["m", "s", 1, 1], ["m", "t", 2, 1]], column_names=columns)
    assert remote.query("SELECT stage FROM stages_rows ORDER BY position") == [("s",), ("t",)]


def test_a_block_is_taken_once(remote: Client) -> None:
    sink = Sink(remote)
    for token in ("a", "a", "b"):
        sink.insert("hits", hit_table(HITS), token)
    assert stored(remote) == 2 * len(HITS), "another token is another block"
    assert remote.query("SELECT count() FROM hits") == [(len(HITS),)], "and its rows replace themselves"


@pytest.mark.parametrize("kind", ["error", "error_after", "refuse", "cut_after"])
def test_whatever_the_network_does_a_block_is_there_once(
    server: ClickHouse, remote: Client, kind: str
) -> None:
    sink, failures = Sink(remote), 0
    server.arm(kind, match="hits_rows", times=3)
    before = server.struck(kind)
    while True:
        try:
            sink.insert("hits", hit_table(HITS), "a")
            break
        except StoreUnavailableError:
            failures += 1
            assert failures < 9
    assert server.struck(kind) - before >= 1
    assert stored(remote) == len(HITS)


def test_half_an_answer_is_none(server: ClickHouse, remote: Client) -> None:
    Sink(remote).insert("hits", hit_table(HITS), "a")
    for ask in (stored, lambda client: client.raw("SELECT * FROM hits_rows", "JSONEachRow")):
        server.arm("cut_answer", match="hits_rows")
        with pytest.raises(StoreUnavailableError):
            ask(remote)
    assert stored(remote) == len(HITS)


def test_a_slow_server_is_waited_for(server: ClickHouse, remote: Client) -> None:
    server.arm("slow", match="hits_rows", seconds=1.5)
    started = time.monotonic()
    Sink(remote).insert("hits", hit_table(HITS), "a")
    assert time.monotonic() - started >= 1.5
    assert stored(remote) == len(HITS)


def test_a_server_that_was_killed_is_found_again_with_all_it_had(server: ClickHouse, remote: Client) -> None:
    sink = Sink(remote)
    sink.insert("hits", hit_table(HITS), "a")
    server.kill()
    with pytest.raises(StoreUnavailableError, match=r"refused|closed"):
        sink.insert("hits", hit_table(HITS), "b")
    server.start()
    sink.insert("hits", hit_table(HITS), "a")
    assert stored(remote) == len(HITS)


@pytest.mark.parametrize("code", [241, 252, 242, 319, 999])
def test_what_passes_by_itself_is_to_be_tried_again(server: ClickHouse, remote: Client, code: int) -> None:
    server.arm("error", match="hits_rows", code=code)
    with pytest.raises(StoreUnavailableError, match=f"Code: {code}"):
        Sink(remote).insert("hits", hit_table(HITS), "a")


def test_a_password_that_was_changed_meanwhile_is_no_fault_of_the_rows(
    server: ClickHouse, remote: Client
) -> None:
    server.arm("error", match="hits_rows", code=516)
    with pytest.raises(StoreRefusedError, match="Code: 516"):
        Sink(remote).insert("hits", hit_table(HITS), "a")


def test_threads_may_share_a_client(server: ClickHouse, remote: Client) -> None:
    """None is answered before all three are there."""
    server.arm("meet", match="meeting", times=3)
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(remote.query, ["SELECT 1 AS meeting"] * 3))
    assert answers == [[(1,)]] * 3


def test_what_the_tables_do_not_take_is_not_tried_again(remote: Client) -> None:
    remote.command("RENAME TABLE hits_rows TO elsewhere")
    try:
        with pytest.raises(RowsRefusedError, match="hits_rows"):
            Sink(remote).insert("hits", hit_table(HITS), "a")
    finally:
        remote.command("RENAME TABLE elsewhere TO hits_rows")


def test_a_wrong_query_says_what_is_wrong_and_neither_password_nor_address(remote: Client) -> None:
    with pytest.raises(QueryError, match="Unknown expression identifier `nope`") as caught:
        remote.query("SELECT nope")
    assert not {"http", PASSWORD} & set(str(caught.value).split())
    assert "for url" not in str(caught.value)


def test_readers_cannot_write(server: ClickHouse, remote: Client) -> None:
    settings = load({"MASIR_CLICKHOUSE": server.url})
    reader = reader_of(settings)
    assert rows(reader, "SELECT count() AS n FROM hits") == [{"n": 0}]
    for query in ("DROP TABLE hits_rows", "INSERT INTO stages_rows (model) VALUES ('m')", "SET readonly = 0"):
        with pytest.raises(QueryError):
            reader.raw(query, "TSV")
    reader.close()


def swapped(url: str, one: str, other: str) -> str:
    assert url.count(one) == 1
    return url.replace(one, other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: swapped(url, "p%3A%40ss", "wrong"), "password is incorrect"),
        (lambda url: swapped(url, "//masir:", "//nobody:"), "no user with such name"),
        (lambda url: url.removesuffix("masir") + "nowhere", "nowhere"),
    ],
)
def test_who_is_not_let_in_must_mend_the_settings(
    server: ClickHouse, change: Callable[[str], str], says: str
) -> None:
    with pytest.raises(StoreRefusedError, match=says) as caught:
        connect(change(server.url))
    assert f"localhost:{server.port}" in str(caught.value)
    assert "ss%2F" not in str(caught.value)


def test_the_password_may_be_a_setting_of_its_own(server: ClickHouse) -> None:
    url = f"http://masir@localhost:{server.port}/masir"
    with open_store(load({"MASIR_CLICKHOUSE": url, "MASIR_CLICKHOUSE_PASSWORD": PASSWORD})) as client:
        assert client.query("SELECT 1") == [(1,)]


def test_nobody_there_is_to_be_waited_for() -> None:
    with pytest.raises(StoreUnavailableError, match=r"localhost:1: .*refused"):
        connect("http://localhost:1/masir")


def test_tables_of_a_newer_program_are_left_alone(remote: Client) -> None:
    with pytest.raises(StoreMismatchError, match="newer Masir"):
        migrate(remote, migrations=bundled()[:-1])


def test_two_workers_may_start_at_once(server: ClickHouse, remote: Client) -> None:
    remote.command("TRUNCATE TABLE masir_migrations")
    failed: list[Exception] = []

    def start() -> None:
        try:
            with connect(server.url) as mine:
                migrate(mine)
        except Exception as error:  # told to the test, whatever it is
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert remote.query("SELECT count() FROM masir_migrations FINAL") == [(len(bundled()),)]


def test_ttl_follows_the_setting(remote: Client) -> None:
    apply_ttl(remote, {"hits": 30})
    ((made,),) = remote.query("SELECT create_table_query FROM system.tables WHERE name = 'hits_rows'")
    assert "toIntervalDay(30)" in made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that signed itself, and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


def test_tls_is_checked_against_the_authority_that_is_named(certificate: Path, tmp_path: Path) -> None:
    with ClickHouse(tmp_path / "ch", certificate=certificate) as server:
        assert server.url.startswith("https://")
        with connect(Server(server.url, ca_file=f"{certificate}.crt")) as client:
            assert client.query("SELECT 1") == [(1,)]
        with pytest.raises(StoreRefusedError, match="CERTIFICATE_VERIFY_FAILED"):
            connect(server.url)


@pytest.mark.parametrize(
    "address",
    ["localhost:8123", "ftp://localhost/masir", "http:///masir", "http://host:port/masir", "http://host/a/b",
     "http://host:0/masir", "http://host/masir?user=me", "http://[host/masir"],
)  # fmt: skip
def test_what_is_no_address_of_a_server(address: str) -> None:
    with pytest.raises(SettingsError, match="clickhouse must be http"):
        load({"MASIR_CLICKHOUSE": address})


def test_a_cluster_needs_a_server() -> None:
    with pytest.raises(SettingsError, match="clickhouse_cluster"):
        load({"MASIR_CLICKHOUSE_CLUSTER": "main"})
