"""Which store the settings mean: a ClickHouse server if ``clickhouse`` names one, else the data directory's own."""

import os
from contextlib import suppress
from pathlib import Path

from pipeline.settings import Settings
from pipeline.store.client import STORE_DIRECTORY, Client, Reader, Server, connect
from pipeline.store.query_socket import open_reader

_CGROUP = Path("/sys/fs/cgroup/memory.max")  # https://docs.kernel.org/admin-guide/cgroup-v2.html
_SHARE = 4  # of the memory, for one question beside a pipeline
_NICE = 10  # of its threads: the pipeline's work comes first, see nice(2)


def place_of(settings: Settings) -> Server | Path:
    """For :func:`pipeline.store.client.connect`."""
    if not settings.clickhouse:
        return Path(settings.data) / STORE_DIRECTORY
    return Server(
        url=settings.clickhouse,
        password=settings.clickhouse_password,
        cluster=settings.clickhouse_cluster,
        ca_file=settings.clickhouse_ca_file,
        cert_file=settings.clickhouse_cert_file,
        key_file=settings.clickhouse_key_file,
    )


def open_store(settings: Settings, *, read_only: bool = False) -> Client:
    """The store itself. A data directory can be held by one process at a time."""
    return connect(place_of(settings), read_only=read_only)


def open_beside(settings: Settings) -> Client:
    """The store for questions of others while a pipeline writes: none may take the memory away from it. A question that
    would is refused (QueryError); it may say ``SETTINGS max_memory_usage = 0``.
    """
    client = open_store(settings, read_only=True)
    if not settings.clickhouse:  # a server has limits of its own
        client.command(f"SET max_memory_usage = {_memory_bytes() // _SHARE}")
        client.command(
            f"SET os_thread_priority = {_NICE}"
        )  # without the right to it (CAP_SYS_NICE) it does nothing
    return client


def _memory_bytes() -> int:
    """Of the machine, or as much of it as the container may have."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # no container, or no limit ("max")
        memory = min(memory, int(_CGROUP.read_text(encoding="ascii")))
    return memory


def reader_of(settings: Settings) -> Reader:
    """Whoever can answer queries: the server, or the process that holds the data directory, or the directory itself."""
    if settings.clickhouse:
        return open_store(settings, read_only=True)
    return open_reader(Path(settings.data))
