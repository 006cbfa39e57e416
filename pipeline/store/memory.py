"""An insert into the embedded engine out of a file that is memory only.

clickhouse-connect writes each block to a file on disk for the engine to read, plain and in Arrow's format: that takes
half as long again.
"""

import os
from collections.abc import Callable, Mapping

import pyarrow as pa


def insert_from_memory(
    command: Callable[[str], object], table: str, block: pa.Table, settings: Mapping[str, str | int]
) -> None:
    """Insert the columns of the block. ``command`` runs a statement and raises what the driver raises. Linux only."""
    from pipeline.store.native import write_native  # readers start sooner without

    file = os.memfd_create(table)
    try:
        path = f"/proc/self/fd/{file}"
        with open(file, "wb", closefd=False) as sink:
            write_native(block, sink.write)
        set_to = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        columns = ", ".join(block.schema.names)
        command(f"INSERT INTO {table} ({columns}) FROM INFILE '{path}' SETTINGS {set_to} FORMAT Native")
    finally:
        os.close(file)
