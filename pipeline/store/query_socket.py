"""Asks a store that another process holds, through the unix socket ``masir.sock`` in its data directory.

A request is one line of JSON, ``{"query", "format"}``. The answer is one line of JSON, either ``{"bytes": n}`` and then
n bytes as ClickHouse made them, or ``{"error", "retriable"}``. One request per connection; queries cannot write. Only
the owner may connect (mode 0600).
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.store.client import STORE_DIRECTORY, Reader, connect
from pipeline.store.errors import QueryError, StoreError, StoreUnavailableError

SOCKET_NAME = "masir.sock"
MAX_REQUEST_BYTES = 1 << 20
MAX_QUERIES_AT_ONCE = 4  # more would take the machine from the pipeline that runs beside them
REQUEST_TIMEOUT_S = 10
_LONGEST_ADDRESS_BYTES = 100  # sun_path holds 104 to 108, by system


class Request(Struct):
    """A query, and the ClickHouse format of the answer."""

    query: str
    format: str


class Answer(Struct, omit_defaults=True):
    """What precedes the ``bytes`` of the answer, or the reason why there are none."""

    bytes: int = 0
    error: str = ""
    retriable: bool = False


class QueryServer:
    """The side that holds the store. ``open_reader`` gives a fresh read-only reader for each query."""

    def __init__(self, data: Path, open_reader: Callable[[], Reader]) -> None:
        self._data = data
        self._open_reader = open_reader
        self._server: asyncio.Server | None = None
        self._slots = asyncio.Semaphore(MAX_QUERIES_AT_ONCE)

    async def start(self) -> None:
        """Listen. A killed process's socket is replaced: the store's lock keeps a second one out."""
        listener = socket.socket(socket.AF_UNIX)
        (self._data / SOCKET_NAME).unlink(missing_ok=True)
        with _address(self._data) as address:
            listener.bind(address)
        (self._data / SOCKET_NAME).chmod(0o600)  # before it listens, so nobody else can have connected
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_REQUEST_BYTES)

    async def stop(self) -> None:
        """Stop listening; queries that run are waited for."""
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        for _ in range(MAX_QUERIES_AT_ONCE):
            await self._slots.acquire()
        (self._data / SOCKET_NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):  # the other side went away
            async with self._slots:
                line = await asyncio.wait_for(_read_line(reader), REQUEST_TIMEOUT_S)
                head, body = await asyncio.to_thread(self._answer, line)
                writer.write(msgspec.json.encode(head) + b"\n")
                writer.write(body)
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> tuple[Answer, bytes]:
        try:
            request = msgspec.json.decode(line, type=Request)
            reader = self._open_reader()
            try:
                body = reader.raw(request.query, request.format)
            finally:
                reader.close()
        except msgspec.DecodeError as error:
            return Answer(error=f"not a request: {error}"), b""
        except StoreError as error:
            return Answer(error=str(error), retriable=error.retriable), b""
        return Answer(bytes=len(body)), body


class SocketReader:
    """The side that asks. A :class:`pipeline.store.client.Reader`."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def raw(self, query: str, output_format: str) -> bytes:
        """Raises QueryError, StoreUnavailableError (also when the other process ends in the middle)."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                with _address(self._data) as address:
                    connection.connect(address)
                connection.sendall(msgspec.json.encode(Request(query, output_format)) + b"\n")
                with connection.makefile("rb") as stream:
                    head = msgspec.json.decode(stream.readline(), type=Answer)
                    body = stream.read(head.bytes)
        except (OSError, msgspec.DecodeError) as error:
            raise StoreUnavailableError(f"the running masir did not answer: {error}") from error
        if head.error:
            raise (StoreUnavailableError if head.retriable else QueryError)(head.error)
        if len(body) < head.bytes:
            raise StoreUnavailableError("the running masir ended in the middle of its answer")
        return body

    def close(self) -> None:
        """Nothing is held between queries."""


def is_listening(data: Path) -> bool:
    """Does a process answer on the data directory's socket?"""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with _address(data) as address:
                connection.connect(address)
        except OSError:
            return False
    return True


def open_reader(data: Path) -> Reader:
    """Whoever can answer for ``data``: the process that holds its store, else the store itself, read-only."""
    if is_listening(data):
        return SocketReader(data)
    directory = data / STORE_DIRECTORY
    if not directory.is_dir():
        raise QueryError(f"{data} holds no store; `masir run --data {data}` or `masir process` makes one")
    return connect(directory, read_only=True)


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        return b""


@contextmanager
def _address(data: Path) -> Iterator[str]:
    """Address of the socket; one too long for the system is reached through the directory's descriptor."""
    path = str(data / SOCKET_NAME)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS_BYTES:
        yield path
        return
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
