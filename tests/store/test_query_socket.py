"""A store held by one process answers another: over the socket, read-only, and with the error if there is
one.
"""

import asyncio
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.running import MASIR, wait_for
from pipeline.settings import load
from pipeline.store.client import STORE_DIRECTORY, Client, connect, rows
from pipeline.store.errors import QueryError, StoreLockedError, StoreUnavailableError
from pipeline.store.place import open_beside
from pipeline.store.query_socket import (
    MAX_QUERIES_AT_ONCE,
    MAX_REQUEST_BYTES,
    SOCKET_NAME,
    QueryServer,
    SocketReader,
    is_listening,
    open_reader,
)

WRITES = [
    "INSERT INTO ledger_rows VALUES (0, 'shop', 'late', 1, 1)",
    "DROP TABLE hits_rows",
    "TRUNCATE TABLE hits_rows",
    "CREATE TABLE z (x UInt8) ENGINE = Memory",
    "SET readonly = 0",
    "SELECT 1 INTO OUTFILE 'x'",
]

ENDLESS = "SELECT sum(length(repeat('x', number % 9))) FROM numbers(1000000000000)"
RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%repeat%' AND query NOT LIKE '%processes%'"


@pytest.fixture
def served(client: Client, data: Path) -> Iterator[Path]:
    """The store, served from another thread as ``masir run`` does it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = QueryServer(data, lambda: connect(data / STORE_DIRECTORY, read_only=True))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield data
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_the_answer_is_what_the_engine_made(served: Path) -> None:
    reader = open_reader(served)
    assert isinstance(reader, SocketReader)
    assert reader.raw("SELECT 1 AS a, 'ä' AS b;", "TSVWithNames") == "a\tb\n1\tä\n".encode()
    assert reader.raw("SELECT 1 AS a FORMAT JSONEachRow ", "TSV") == b'{"a":1}\n'
    assert reader.raw("SELECT 1 WHERE 0", "TSV") == b""
    assert rows(reader, "SELECT 18446744073709551615 AS big") == [{"big": 2**64 - 1}]


def test_a_large_answer_arrives_whole(served: Path) -> None:
    answer = open_reader(served).raw("SELECT number FROM numbers(1000000)", "RowBinary")
    assert len(answer) == 8_000_000


def test_an_answer_may_be_larger_than_what_is_held_of_it(served: Path, client: Client) -> None:
    """300 MB, with one header."""
    before = _most_memory()
    query = "SELECT repeat('x', 99) AS text FROM numbers(3000000)"
    with closing(open_reader(served).pieces(query, "TSVWithNames")) as answer:
        first = next(answer)
        assert first.startswith(b"text\nx")
        assert len(first) + sum(map(len, answer)) == 5 + 300_000_000
    assert _most_memory() - before < 150_000_000
    assert client.query(RUNNING) == [(0,)]


def test_who_wants_no_more_ends_the_query(served: Path, client: Client) -> None:
    answer = open_reader(served).pieces("SELECT repeat('x', 999) FROM numbers(1000000000)", "TSV")
    next(answer)
    assert client.query(RUNNING) == [(1,)]
    answer.close()
    wait_for(lambda: client.query(RUNNING) == [(0,)], "it has ended")
    client.look_after_disk()  # and nothing is taken for a write that failed


def test_a_query_ends_with_who_asked_also_before_its_first_piece(served: Path, client: Client) -> None:
    asking = subprocess.Popen([MASIR, "sql", "--data", str(served), ENDLESS], stderr=subprocess.PIPE)
    wait_for(lambda: client.query(RUNNING) == [(1,)], "it runs")
    asking.kill()
    asking.communicate()
    wait_for(lambda: client.query(RUNNING) == [(0,)], "it has ended")


def test_an_error_may_come_after_the_first_pieces(served: Path) -> None:
    late = "SELECT throwIf(number = 5000000), number FROM numbers(10000000)"
    with pytest.raises(QueryError, match="throwIf"):
        open_reader(served).raw(f"{late} SETTINGS max_threads = 1", "TSV")


def test_one_question_may_not_take_all_the_memory(
    data: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.place._memory_bytes", lambda: 400_000_000)
    with open_beside(load({"MASIR_DATA": str(data)})) as beside:
        greedy = "SELECT length(groupArray(repeat('x', 1000))) FROM numbers(200000)"
        with pytest.raises(StoreUnavailableError, match=r"would use .* maximum: 95.37 MiB"):
            beside.raw(greedy, "TSV")
        assert beside.raw(f"{greedy} SETTINGS max_memory_usage = 0", "TSV") == b"200000\n"


def test_the_pipeline_comes_first(data: Path, client: Client) -> None:
    with open_beside(load({"MASIR_DATA": str(data)})) as beside:
        assert beside.query("SELECT getSetting('os_thread_priority')") == [(10,)]


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("query", WRITES)
def test_nothing_can_be_written(served: Path, client: Client, query: str) -> None:
    with pytest.raises(QueryError):
        open_reader(served).raw(query, "TSV")
    client.command("INSERT INTO ledger_rows VALUES (0, 'shop', 'bot', 1, 1)")  # the holder still can
    assert client.query("SELECT outcome FROM ledger") == [("bot",)]


def test_a_wrong_query_names_what_is_wrong(served: Path) -> None:
    with pytest.raises(QueryError, match="no_such_view") as caught:
        open_reader(served).raw("SELECT * FROM no_such_view", "TSV")
    assert "(version" not in str(caught.value)


def test_a_wrong_format_is_a_wrong_query(served: Path) -> None:
    with pytest.raises(QueryError, match="NoFormat"):
        open_reader(served).raw("SELECT 1", "NoFormat")


def test_a_request_that_is_too_long_is_refused(served: Path) -> None:
    with pytest.raises((QueryError, StoreUnavailableError)):
        open_reader(served).raw("SELECT 1 -- " + "x" * MAX_REQUEST_BYTES, "TSV")
    assert open_reader(served).raw("SELECT 1", "TSV") == b"1\n"


def test_more_queries_than_slots_all_get_their_answer(served: Path) -> None:
    answers: list[bytes] = []

    def ask(number: int) -> None:
        answers.append(SocketReader(served).raw(f"SELECT {number}", "TSV"))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(3 * MAX_QUERIES_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(answer) for answer in answers) == list(range(3 * MAX_QUERIES_AT_ONCE))


def test_only_the_owner_may_connect(served: Path) -> None:
    assert stat.S_IMODE((served / SOCKET_NAME).stat().st_mode) == 0o600


def test_another_process_asks_through_the_socket(served: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.store.query_socket import open_reader;"
        "print(open_reader(Path(sys.argv[1])).raw('SELECT 41 + 1', 'TSV').decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(served)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["42"]


def test_another_process_cannot_open_the_directory(client: Client, data: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.store.query_socket import open_reader;"
        "from pipeline.store.errors import StoreLockedError\n"
        "try: open_reader(Path(sys.argv[1]))\nexcept StoreLockedError: print('locked')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(data)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["locked"]
    with pytest.raises(StoreLockedError):
        connect(data / "another")


def test_without_a_holder_the_directory_is_opened_read_only(client: Client, data: Path) -> None:
    client.close()
    (data / SOCKET_NAME).touch()  # left by a process that was killed
    assert not is_listening(data)
    reader = open_reader(data)
    assert isinstance(reader, Client)
    assert reader.raw("SELECT count() FROM hits", "TSV") == b"0\n"
    with pytest.raises(QueryError):
        reader.raw(WRITES[0], "TSV")
    reader.close()


def test_a_directory_without_a_store_is_named(data: Path) -> None:
    with pytest.raises(QueryError, match=str(data)):
        open_reader(data)
    assert not data.exists()


async def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 120)
    data.mkdir()

    class Echo:
        def raw(self, query: str, output_format: str) -> bytes:
            return b"".join(self.pieces(query, output_format))

        def pieces(self, query: str, output_format: str, until: int | None = None) -> Generator[bytes]:
            yield f"{query} ".encode()
            yield output_format.encode()

        def close(self) -> None:
            pass

    server = QueryServer(data, Echo)
    await server.start()
    assert await asyncio.to_thread(SocketReader(data).raw, "hello", "TSV") == b"hello TSV"
    await server.stop()
    assert not is_listening(data)
    with pytest.raises(StoreUnavailableError):
        SocketReader(data).raw("hello", "TSV")
