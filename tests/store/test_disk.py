"""A disk that does not take what is written: the engine says it did, Masir says it did not, and nothing is lost.

A limit to the size of files stands for the end of a disk: write(2) fails beyond it as it does there.
"""

import resource
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.store import disk
from pipeline.store.client import Client, connect
from pipeline.store.errors import QueryError, StoreUnavailableError

ROWS = 2_000
FULL = 64 * 1024  # bytes; a block of so many rows is some 200 KB
MERGED = 500 * 1024  # four blocks are more
READ = "SELECT count(), sum(cityHash64(b)) FROM (SELECT * FROM t FINAL)"


@contextmanager
def files_of(most_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with connect(tmp_path / "clickhouse") as opened:
        opened.command(
            "CREATE TABLE t (a UInt64, b String) ENGINE = ReplacingMergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
        yield opened


def insert(client: Client, first: int, token: str, table: str = "t") -> None:
    """Rows that cannot be compressed to nothing. In SQL: the driver would bring a block through a file, too."""
    text = "arrayStringConcat(arrayMap(i -> hex(cityHash64(number, i)), range(6)))"
    rows = (
        f"SELECT number, {text} FROM numbers({first}, {ROWS}) SETTINGS insert_deduplication_token = '{token}'"
    )
    client.command(f"INSERT INTO {table} {rows}")
    client.look_after_disk()


def test_the_engine_says_that_it_wrote_what_it_did_not(client: Client) -> None:
    """When this fails, chDB is mended and pipeline/store/disk.py has less to do."""
    client._disk = None
    with files_of(FULL):
        insert(client, 0, "one")
    with pytest.raises(QueryError, match="Cannot read all data"):
        client.query(READ)


def test_a_block_that_could_not_be_written_is_written_again(client: Client) -> None:
    insert(client, 0, "one")
    with files_of(FULL), pytest.raises(StoreUnavailableError, match="did not take"):
        insert(client, ROWS, "two")
    insert(client, ROWS, "two")
    assert client.query(READ) == whole(client, 2)
    insert(client, ROWS, "two")
    assert client.query("SELECT count() FROM t") == [(2 * ROWS,)]  # tokens are known again


def test_a_block_is_not_done_when_anything_was_not_written_meanwhile(client: Client) -> None:
    rows = pa.table({"a": pa.array([1], pa.uint64()), "b": ["x"]})
    client.insert_arrow("t", rows, "one")
    with files_of(FULL):
        client._driver.command("INSERT INTO t SELECT number, randomPrintableASCII(99) FROM numbers(10, 2000)")
    with pytest.raises(StoreUnavailableError, match="did not take"):
        client.insert_arrow("t", rows, "two")
    client.insert_arrow("t", rows, "two")
    assert client.query(READ) == client.query("SELECT 1, cityHash64('x')")


def test_nobody_mends_before_the_writer_has_been_told(client: Client) -> None:
    others = [threading.Thread(target=_look, args=[client]) for _ in range(2)]
    with pytest.raises(StoreUnavailableError, match="did not take"):
        _fail_while_they_look(client, others)
    for other in others:
        other.join()
    assert client.query("SELECT count() FROM t") == [(0,)]


def _fail_while_they_look(client: Client, others: list[threading.Thread]) -> None:
    assert client._disk is not None
    with client._disk.writing():
        with files_of(FULL):
            client._driver.command(
                "INSERT INTO t SELECT number, randomPrintableASCII(99) FROM numbers(10, 2000)"
            )
        for other in others:
            other.start()
        others[0].join(0.3)
        assert all(other.is_alive() for other in others)


def _look(client: Client) -> None:
    with suppress(StoreUnavailableError):
        client.look_after_disk()


def test_what_a_merge_could_not_write_is_taken_from_its_sources(client: Client) -> None:
    for number in range(4):
        insert(client, number * ROWS, str(number))
    with files_of(MERGED):
        client._driver.command("OPTIMIZE TABLE t FINAL")
    with pytest.raises(QueryError, match="Cannot read all data"):
        client.query(READ)
    with pytest.raises(StoreUnavailableError, match="did not take"):
        client.look_after_disk()
    client.look_after_disk()
    assert client.query(READ) == whole(client, 4)


def test_tables_that_somebody_reads_are_loaded_anew_when_they_have_done_so(
    client: Client, tmp_path: Path
) -> None:
    insert(client, 0, "one")
    assert client._disk is not None
    client._disk._is_damaged = True
    with (
        connect(tmp_path / "clickhouse", read_only=True) as other,
        closing(other.pieces("SELECT b, c.number FROM t, numbers(1000) AS c", "TSV")) as answer,
    ):
        assert next(answer)
        with pytest.raises(StoreUnavailableError, match="still used by some query"):
            client.insert_arrow("t", pa.table({"a": pa.array([1], pa.uint64()), "b": ["x"]}), "two")
    client.look_after_disk()
    assert client.query("SELECT count() FROM t FINAL") == [(ROWS,)]


def test_a_process_that_ends_before_it_notices_leaves_it_to_the_next(client: Client, tmp_path: Path) -> None:
    with files_of(FULL), pytest.raises(StoreUnavailableError):
        insert(client, 0, "one")
    client.close()
    with connect(tmp_path / "clickhouse") as later:
        insert(later, 0, "one")
        assert later.query(READ) == whole(later, 1)


def test_nothing_is_written_or_merged_while_little_is_free(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(client, 0, "one")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "LEAST_FREE_BYTES", 1 << 60)
        with pytest.raises(StoreUnavailableError, match=r"\d+ MB are free on its disk, \d+ are needed"):
            insert(client, 0, "two")
        assert client.query("SELECT count() FROM t") == [(ROWS,)]
        with pytest.raises(ClickHouseError, match="ABORTED"):
            client._driver.command("OPTIMIZE TABLE t FINAL")
    insert(client, 0, "two")
    client.command("OPTIMIZE TABLE t FINAL")
    assert client.query("SELECT count() FROM t") == [(ROWS,)]


def whole(client: Client, blocks: int) -> list[tuple[int, int]]:
    """What is to be read of so many blocks, in the engine's own arithmetic."""
    client.command("CREATE TABLE other (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    for number in range(blocks):
        insert(client, number * ROWS, "", "other")
    found = client.query("SELECT count(), sum(cityHash64(b)) FROM other")
    return [(int(count), int(hashed)) for count, hashed in found]
