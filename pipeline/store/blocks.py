"""Hit rows on their way from the sessionizer to the store: Arrow record batches, built once and passed on as they are."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from schemas.rows import HIT_ROWS


def hit_block(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """An Arrow stream of one record batch; ``rows``: tuples in the order of ``HIT_ROWS``, at least one."""
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, type=field.type) for values, field in zip(columns, HIT_ROWS, strict=True)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, HIT_ROWS) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=HIT_ROWS))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_blocks(blocks: Sequence[bytes]) -> pa.Table:
    """The rows of several :func:`hit_block` in their order."""
    batches = [batch for block in blocks for batch in pa.ipc.open_stream(block)]
    return pa.Table.from_batches(batches, HIT_ROWS)
