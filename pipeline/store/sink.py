"""Writes blocks of rows into the base tables, effectively once.

A token names a block by the topic, partitions and offsets it was made from; a hash of it is sent, since it travels
in a URL. The table drops a block whose token it has seen lately; should it have forgotten, the rows replace
themselves (they are named by their ORDER BY). Rows of one block and version: the later one holds. Blocks should be
large, some 10,000 rows or a second's worth.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa

from pipeline.store.client import Client
from pipeline.store.erase import erase
from pipeline.store.errors import RowsRefusedError
from schemas.erasure import Erasure
from schemas.rows import TABLES


class Sink:
    """Inserts into one store. ``rows_total``: table -> rows handed in since the start."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.rows_total: dict[str, int] = dict.fromkeys(TABLES, 0)

    def erase(self, erasure: Erasure) -> dict[str, int]:
        """Remove a person; table -> rows. Nothing may be inserted meanwhile."""
        return erase(self._client, erasure, is_embedded=Path(self._client.place).is_dir())

    def insert(self, table: str, block: pa.Table | Sequence[pa.RecordBatch], token: str) -> int:
        """Insert a block; returns its rows. Raises RowsRefusedError, StoreUnavailableError (try again)."""
        schema = TABLES[table]
        if not isinstance(block, pa.Table):
            block = pa.Table.from_batches(block, schema)
        if not block.schema.equals(schema):
            raise RowsRefusedError(f"{table}: columns {block.schema.names} are not those of schemas/rows.py")
        if block.num_rows:
            hashed = blake2b(token.encode(), digest_size=16).hexdigest()
            self._client.insert_arrow(f"{table}_rows", block.combine_chunks(), hashed)
        self.rows_total[table] += block.num_rows
        return int(block.num_rows)
