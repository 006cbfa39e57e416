"""One connection to the engine: a data directory (chDB, in this process) or a ClickHouse server, over HTTP.

A process can hold one data directory at a time and a directory one process; any number of clients may share
it. Queries come back as bytes in a ClickHouse format or as rows; times are UTC. Calls of one client wait
for each other.
"""

import errno
import fcntl
import logging
import os
import re
import resource
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from pipeline.store import cluster
from pipeline.store.blocks import without_codes
from pipeline.store.disk import Disk, check_free
from pipeline.store.errors import (
    QueryError,
    RowsRefusedError,
    StoreLockedError,
    StoreRefusedError,
    mapped,
)
from pipeline.store.memory import insert_from_memory
from pipeline.store.pieces import PIECE_BYTES, pieces

STORE_DIRECTORY = "clickhouse"  # within the data directory
_LOCK = "status"  # of the engine, within its directory

_ENDS_WITH_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_WRITES_A_FILE = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)  # the engine allows it even to readers
_DEFAULT_PORTS = {"http": 8123, "clickhouse": 8123, "https": 8443, "clickhouses": 8443}
_SETTINGS = {
    "session_timezone": "UTC",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
}


_INSERT = {
    "optimize_on_insert": 0,  # rows replace each other when they are merged or read, a fifth cheaper
    "async_insert": 0,  # blocks are large already, and a token belongs to a block as it was sent
}
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 120  # without a byte; long queries send headers meanwhile


class Server(Struct, frozen=True):
    """A ClickHouse server: ``http://USER:PASSWORD@HOST:PORT/DATABASE`` or ``https://…``.

    ``password`` is for a URL without one. ``cluster``: its name there, if tables are to be spread over its servers.
    ``ca_file``: PEM of the authority that signed the server's certificate; empty: the system's. ``cert_file`` and
    ``key_file``: this client's own.
    """

    url: str
    password: str = ""
    cluster: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


class Reader(Protocol):
    """Whoever can answer a query: a :class:`Client`, or one on the other side of a socket."""

    def raw(self, query: str, output_format: str) -> bytes:
        """The answer in a ClickHouse format; one named at the end of ``query`` wins. Raises QueryError."""

    def pieces(self, query: str, output_format: str, until: int | None = None) -> Generator[bytes]:
        """The same, never all of it in memory; errors may come after some pieces. To be taken to its end, or closed.

        The embedded engine gives up, too, when the descriptor ``until`` can be read.
        """

    def close(self) -> None:
        """Let go of the connection."""


def rows(reader: Reader, query: str) -> list[dict[str, Any]]:
    """The rows of the answer, column name -> value as JSON has it (times are text, decimals are numbers)."""
    return [msgspec.json.decode(line) for line in reader.raw(query, "JSONEachRow").splitlines()]


class Client:
    """Open one with :func:`connect`."""

    def __init__(
        self,
        driver: Any,
        place: str,
        cluster_name: str = "",
        *,
        is_embedded: bool = False,
        disk: Disk | None = None,
    ) -> None:
        self._driver = driver
        self._cluster = cluster_name
        self.is_embedded = is_embedded
        self._disk = disk  # of the embedded engine, if it may write
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine; the last client of the process frees the data directory."""
        self._driver.close()

    def command(self, statement: str) -> None:
        """Run a statement that gives nothing back; on a cluster, DDL becomes that of all its servers.

        Has it been written? :meth:`look_after_disk` tells, for many at once.
        """
        with mapped(QueryError), self._writing(is_checked=False):
            for each in self._on_cluster(statement) if self._cluster else (statement,):
                self._driver.command(each)

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows as tuples of Python values."""
        with mapped(QueryError):
            return list(self._driver.query(query, parameters=parameters).result_rows)

    def raw(self, query: str, output_format: str) -> bytes:
        """See :class:`Reader`."""
        query, output_format = _asked(query, output_format)
        with mapped(QueryError):
            answer: bytes = self._driver.raw_query(query, fmt=output_format)
        return answer

    def pieces(self, query: str, output_format: str, until: int | None = None) -> Generator[bytes]:
        """See :class:`Reader`."""
        query, output_format = _asked(query, output_format)
        with mapped(QueryError):
            if self.is_embedded:
                yield from pieces(self._driver.command, self._kill, query, output_format, until)
                return
            with closing(self._driver.raw_stream(query, fmt=output_format)) as stream:
                while piece := stream.read(PIECE_BYTES):
                    yield piece

    def _kill(self, statement: str) -> None:
        """Over another connection: this one is busy."""
        with connect(Path(self.place), read_only=True) as other:
            other.command(statement)

    def insert_arrow(self, table: str, block: pa.Table, token: str) -> None:
        """Insert a block; texts may be coded. Another one with the same ``token`` is taken for the same and dropped."""
        settings = {"insert_deduplication_token": token} | _INSERT
        with mapped(RowsRefusedError), self._writing():
            if self.is_embedded:
                insert_from_memory(self._driver.command, table, block, settings)
            else:
                self._driver.insert_arrow(table, without_codes(block), settings=settings)

    def look_after_disk(self) -> None:
        """Raises StoreUnavailableError if commands, or merges, could not write; to be called now and then."""
        with mapped(QueryError), self._writing():
            pass

    def _writing(self, *, is_checked: bool = True) -> AbstractContextManager[None]:
        return nullcontext() if self._disk is None else self._disk.writing(is_checked=is_checked)

    def _on_cluster(self, statement: str) -> list[str]:
        return cluster.on_cluster(
            statement, cluster=self._cluster, database=self._driver.database, exists=self._exists
        )

    def _exists(self, table: str) -> bool:
        return bool(self.query(f"EXISTS TABLE {table}")[0][0])


def _asked(query: str, output_format: str) -> tuple[str, str]:
    """The query without what ends it, and the format of the answer: the query's own if it names one."""
    if _WRITES_A_FILE.search(query):
        raise QueryError("INTO OUTFILE is not allowed here; redirect the output instead")
    query = query.strip().rstrip(";")
    named = _ENDS_WITH_FORMAT.search(query)
    return (query[: named.start()], named[1]) if named else (query, output_format)


def connect(place: str | Path | Server, *, read_only: bool = False) -> Client:
    """Open a data directory of the embedded engine, made if need be, or a server.

    Raises StoreLockedError, StoreUnavailableError, StoreRefusedError, PermissionError, or QueryError for a wrong URL.
    """
    if isinstance(place, Server):
        return _connect_server(place, read_only=read_only)
    if "://" in str(place):
        return _connect_server(Server(str(place)), read_only=read_only)
    return connect_embedded(Path(place), read_only=read_only)


def connect_embedded(directory: Path, *, read_only: bool) -> Client:
    directory.parent.mkdir(parents=True, exist_ok=True)
    _check_writable(directory)
    if not read_only:
        check_free(directory.parent)
    _may_open_files()
    try:
        driver = clickhouse_connect.get_client(
            interface="chdb", path=str(directory), settings=dict(_SETTINGS)
        )
    except ClickHouseError as error:
        why = "another process holds it" if _is_locked(directory) else str(error)
        raise StoreLockedError(f"cannot open {directory}: {why}") from error
    if read_only:
        driver.command("SET readonly = 2")
    return Client(
        driver, str(directory), is_embedded=True, disk=None if read_only else Disk(driver, directory)
    )


def _check_writable(directory: Path) -> None:
    """Also for readers: the engine's lock is there. Of a place that it may not use it tells in 40 lines, or none."""
    for place in (directory if directory.exists() else directory.parent, directory / _LOCK):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def _may_open_files() -> None:
    """As many as the system lets this process have: the engine keeps hundreds open, and its server does the same."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _is_locked(directory: Path) -> bool:
    try:
        with (directory / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _connect_server(server: Server, *, read_only: bool) -> Client:
    parts = urlsplit(server.url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        allowed = ", ".join(f"{scheme}://" for scheme in _DEFAULT_PORTS)
        raise QueryError(f"not the address of a ClickHouse server; allowed are {allowed} with a host")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    place = f"{parts.hostname}:{port}"
    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)  # it warns of what it raises
    settings = (
        _SETTINGS | (cluster.SETTINGS if server.cluster else {}) | ({"readonly": 2} if read_only else {})
    )
    with mapped(StoreRefusedError, f"ClickHouse at {place}: "):
        driver = clickhouse_connect.get_client(
            host=parts.hostname,
            port=port,
            secure=parts.scheme.endswith("s"),
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or server.password),
            database=parts.path.strip("/") or "default",
            ca_cert=server.ca_file or None,
            client_cert=server.cert_file or None,
            client_cert_key=server.key_file or None,
            tls_mode="strict" if server.cert_file else None,  # the password counts, beside the certificate
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=_ANSWER_SECONDS,
            settings=settings,
            autogenerate_session_id=False,  # sessions would make the queries of threads wait for each other
        )
    return Client(driver, place, server.cluster)
