"""An insert into the embedded engine out of a file that is memory only.

clickhouse-connect writes each block to a file on disk for the engine to read: a tenth of what an insert takes.
"""

import os
from collections.abc import Callable, Mapping

import pyarrow as pa


def insert_from_memory(
    command: Callable[[str], object], table: str, block: pa.Table, settings: Mapping[str, str | int]
) -> None:
    """Insert the columns of the block. ``command`` runs a statement and raises what the driver raises. Linux only."""
    file = os.memfd_create(table)
    try:
        path = f"/proc/self/fd/{file}"
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, block.schema) as writer:
            writer.write(block)
        set_to = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        columns = ", ".join(block.schema.names)
        command(f"INSERT INTO {table} ({columns}) FROM INFILE '{path}' SETTINGS {set_to} FORMAT Arrow")
    finally:
        os.close(file)
