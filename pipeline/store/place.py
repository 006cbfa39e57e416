"""Which store the settings mean: a ClickHouse server if ``clickhouse`` names one, else the data directory's own."""

from pathlib import Path

from pipeline.settings import Settings
from pipeline.store.client import STORE_DIRECTORY, Client, Reader, Server, connect
from pipeline.store.query_socket import open_reader


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


def reader_of(settings: Settings) -> Reader:
    """Whoever can answer queries: the server, or the process that holds the data directory, or the directory itself."""
    if settings.clickhouse:
        return open_store(settings, read_only=True)
    return open_reader(Path(settings.data))
