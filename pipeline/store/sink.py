"""Writes blocks of rows into the base tables, effectively once.

A token names a block by the topic, partitions and offsets it was made from; a hash of it is sent, since it travels
in a URL. The table drops a block whose token it has seen lately; should it have forgotten, the rows replace
themselves (they are named by their ORDER BY). Rows of one block and version: the later one holds. Blocks should be
large, some 10,000 rows or a second's worth.
"""

from hashlib import blake2b

import pyarrow as pa

from pipeline.store.blocks import is_of
from pipeline.store.client import Client
from pipeline.store.erase import erase
from pipeline.store.errors import RowsRefusedError
from schemas.erasure import Erasure
from schemas.rows import TABLES


class Sink:
    """Inserts into one store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def erase(self, erasure: Erasure) -> dict[str, int]:
        """Remove a person; table -> rows. Nothing may be inserted meanwhile."""
        return erase(self._client, erasure, is_embedded=self._client.is_embedded)

    def insert(self, table: str, block: pa.Table, token: str) -> int:
        """Insert a block; returns its rows. Columns that it leaves out, never the first one, are empty.

        Raises RowsRefusedError, StoreUnavailableError (try again).
        """
        first = TABLES[table].names[:1]
        if block.schema.names[:1] != first or not all(is_of(table, column) for column in block.schema):
            raise RowsRefusedError(f"{table}: columns {block.schema.names} are not those of schemas/rows.py")
        if block.num_rows:
            hashed = blake2b(token.encode(), digest_size=16).hexdigest()
            self._client.insert_arrow(f"{table}_rows", block, hashed)
        return int(block.num_rows)
