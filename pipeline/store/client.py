"""One connection to the engine: a data directory (chDB, in this process) or the URL of a ClickHouse server.

A process can hold one data directory at a time and a directory one process; any number of clients may share
it. Queries come back as bytes in a ClickHouse format or as rows; times are UTC. Calls of one client wait
for each other.
"""

import re
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.store.errors import (
    QueryError,
    RowsRefusedError,
    StoreLockedError,
    StoreUnavailableError,
    mapped,
)

STORE_DIRECTORY = "clickhouse"  # within the data directory

_ENDS_WITH_FORMAT = re.compile(r"\bFORMAT\s+\w+\s*$", re.IGNORECASE)
_WRITES_A_FILE = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)  # the engine allows it even to readers
_DEFAULT_PORTS = {"http": 8123, "clickhouse": 8123, "https": 8443, "clickhouses": 8443}
_SETTINGS = {
    "session_timezone": "UTC",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
}


_INSERT = {"optimize_on_insert": 0}  # rows replace each other when they are merged or read, a fifth cheaper


class Reader(Protocol):
    """Whoever can answer a query: a :class:`Client`, or one on the other side of a socket."""

    def raw(self, query: str, output_format: str) -> bytes:
        """The answer in a ClickHouse format; one named at the end of ``query`` wins. Raises QueryError."""

    def close(self) -> None:
        """Let go of the connection."""


def rows(reader: Reader, query: str) -> list[dict[str, Any]]:
    """The rows of the answer, column name -> value as JSON has it (times are text, decimals are numbers)."""
    return [msgspec.json.decode(line) for line in reader.raw(query, "JSONEachRow").splitlines()]


class Client:
    """Open one with :func:`connect`."""

    def __init__(self, driver: Any, place: str) -> None:
        self._driver = driver
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine; the last client of the process frees the data directory."""
        self._driver.close()

    def command(self, statement: str) -> None:
        """Run a statement that gives nothing back."""
        with mapped(QueryError):
            self._driver.command(statement)

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows as tuples of Python values."""
        with mapped(QueryError):
            return list(self._driver.query(query, parameters=parameters).result_rows)

    def raw(self, query: str, output_format: str) -> bytes:
        """See :class:`Reader`."""
        if _WRITES_A_FILE.search(query):
            raise QueryError("INTO OUTFILE is not allowed here; redirect the output instead")
        query = query.strip().rstrip(";")
        with mapped(QueryError):
            named = _ENDS_WITH_FORMAT.search(query)
            answer: bytes = self._driver.raw_query(query, fmt=None if named else output_format)
        return answer

    def insert_arrow(self, table: str, block: pa.Table, token: str) -> None:
        """Insert a block. Another block with the same ``token`` is taken for the same and dropped."""
        with mapped(RowsRefusedError):
            self._driver.insert_arrow(table, block, settings={"insert_deduplication_token": token} | _INSERT)


def connect(place: str | Path, *, read_only: bool = False) -> Client:
    """Open a data directory of the embedded engine, made if need be, or a server.

    A server is ``clickhouse://user:password@host:port/database``; also ``clickhouses``, ``http``, ``https``.
    Raises StoreLockedError, StoreUnavailableError, or QueryError for a wrong URL.
    """
    if "://" in str(place):
        return _connect_server(str(place), read_only=read_only)
    return _connect_embedded(Path(place), read_only=read_only)


def _connect_embedded(directory: Path, *, read_only: bool) -> Client:
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        driver = clickhouse_connect.get_client(
            interface="chdb", path=str(directory), settings=dict(_SETTINGS)
        )
    except ClickHouseError as error:
        raise StoreLockedError(
            f"cannot open {directory}: another process holds it, or this one holds another ({error})"
        ) from error
    client = Client(driver, str(directory))
    if read_only:
        client.command("SET readonly = 2")
    return client


def _connect_server(url: str, *, read_only: bool) -> Client:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        allowed = ", ".join(f"{scheme}://" for scheme in _DEFAULT_PORTS)
        raise QueryError(f"not the address of a ClickHouse server; allowed are {allowed} with a host")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    try:
        driver = clickhouse_connect.get_client(
            host=parts.hostname,
            port=port,
            secure=parts.scheme.endswith("s"),
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "default",
            settings={**_SETTINGS, "readonly": 2} if read_only else dict(_SETTINGS),
            autogenerate_session_id=False,  # sessions would make the queries of threads wait for each other
        )
    except ClickHouseError as error:
        raise StoreUnavailableError(
            f"cannot reach ClickHouse at {parts.hostname}:{port} ({error})"
        ) from error
    return Client(driver, f"{parts.hostname}:{port}")
