"""Asks a store that another process holds, through the unix socket ``masir.sock`` in its data directory.

A request is one line of JSON, ``{"query", "format"}``. The answer is in pieces as ClickHouse makes them, each a line of
JSON, ``{"bytes": n}``, and then n bytes. The last line is ``{}``, or ``{"error", "retriable"}``. One request per
connection; queries cannot write. Only the owner may connect (mode 0600).
"""

import asyncio
import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
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


class Piece(Struct, omit_defaults=True):
    """What precedes the ``bytes`` of a piece of the answer; none: its end, or the reason why it ends."""

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
                answer = self._answer(line, writer.get_extra_info("socket").fileno())
                try:
                    while piece := await asyncio.to_thread(next, answer, b""):
                        writer.write(piece)
                        await writer.drain()
                finally:
                    await asyncio.to_thread(answer.close)
        writer.close()

    def _answer(self, line: bytes, asker: int) -> Generator[bytes]:
        """Pieces, each with its line before it. ``asker``: its socket can be read when it is closed, and not before."""
        end = Piece()
        try:
            request = msgspec.json.decode(line, type=Request)
            with (
                closing(self._open_reader()) as reader,
                closing(reader.pieces(request.query, request.format, asker)) as answer,
            ):
                for piece in answer:
                    yield _line(Piece(bytes=len(piece))) + piece
        except msgspec.DecodeError as error:
            end = Piece(error=f"not a request: {error}")
        except StoreError as error:
            end = Piece(error=str(error), retriable=error.retriable)
        yield _line(end)


class SocketReader:
    """The side that asks. A :class:`pipeline.store.client.Reader`."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def raw(self, query: str, output_format: str) -> bytes:
        """Raises QueryError, StoreUnavailableError (also when the other process ends in the middle)."""
        return b"".join(self.pieces(query, output_format))

    def pieces(self, query: str, output_format: str, until: int | None = None) -> Generator[bytes]:
        """See :class:`pipeline.store.client.Reader`; errors as those of :meth:`raw`."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                with _address(self._data) as address:
                    connection.connect(address)
                connection.sendall(_line(Request(query, output_format)))
                with connection.makefile("rb") as stream:
                    while (head := msgspec.json.decode(stream.readline(), type=Piece)).bytes:
                        piece = stream.read(head.bytes)
                        if len(piece) < head.bytes:
                            raise StoreUnavailableError("the running masir ended in the middle of its answer")
                        yield piece
        except (OSError, msgspec.DecodeError) as error:
            raise StoreUnavailableError(f"the running masir did not answer: {error}") from error
        if head.error:
            raise (StoreUnavailableError if head.retriable else QueryError)(head.error)

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


def _line(message: Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"


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
