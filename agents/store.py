"""The last hop: rows of all kinds -> ClickHouse, in large blocks.

A block is inserted first, then its offsets are committed: a crash between the two inserts the block again, which the
views do not show (see pipeline.store.sink).
"""

import asyncio
import logging
from collections.abc import Sequence

from agents.hop import Context
from pipeline.store.blocks import join_blocks
from pipeline.store.errors import StoreUnavailableError
from pipeline.store.sink import Sink
from pipeline.transport.batch import Batch
from schemas import topics

TABLE_OF = {
    topics.HIT_ROWS.name: "hits",
    topics.SESSIONS.name: "sessions",
    topics.MOVES.name: "session_moves",
    topics.TRANSITIONS.name: "transitions",
    topics.SIGNALS.name: "signals",
    topics.ATTRIBUTION.name: "attribution",
    topics.LINKS.name: "links",
    topics.COUNTERS.name: "counters",
    topics.DEAD_LETTERS.name: "dead_letters",
    topics.LEDGER.name: "ledger",
}
NAME = "store"
RETRY_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Block:
    """Batches of one topic that wait to be inserted together."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.bytes = 0
        self.since_ms = 0


class Store:
    """Collects a block per topic until it is large or old enough. Rows of hits have a time of their own."""

    def __init__(
        self, context: Context, sink: Sink, *, flush_ms: int, hits_flush_ms: int, block_bytes: int
    ) -> None:
        self._context = context
        self._sink = sink
        self._flush_ms = flush_ms
        self._hits_flush_ms = hits_flush_ms
        self._block_bytes = block_bytes
        self._blocks = {name: Block() for name in TABLE_OF}

    async def handle(self, batch: Batch) -> None:
        """Take the batch in; insert and commit the topic's block if it is time."""
        await self._erase()
        block, now_ms = self._blocks[batch.topic], self._context.now_ms()
        if not batch.is_tick:
            block.since_ms = block.since_ms or now_ms
            block.batches.append(batch)
            block.bytes += sum(map(len, batch.values))
        flush_ms = self._hits_flush_ms if batch.topic == topics.HIT_ROWS.name else self._flush_ms
        is_due = now_ms - block.since_ms >= flush_ms or block.bytes >= self._block_bytes
        if block.batches and (is_due or batch.is_final):
            await self._flush(batch.topic, block)

    async def _flush(self, topic: str, block: Block) -> None:
        batches, self._blocks[topic] = block.batches, Block()
        rows = await self._insert(topic, batches)
        unit = self._context.transport.unit()
        await unit.commit(batches, [], now_ms=self._context.now_ms())
        self._context.metrics.sink_rows(TABLE_OF[topic], rows)
        if topic == topics.HIT_ROWS.name:
            now_ms = self._context.now_ms()
            ages_ms = [now_ms - min(batch.timestamps) for batch in batches]
            self._context.metrics.end_to_end(NAME, [age_ms / 1000 for age_ms in ages_ms])

    async def _erase(self) -> None:
        """Between two inserts, so that nothing is inserted meanwhile. A store that is away is asked again later."""
        erasures = self._context.erasures
        if (erasure := erasures.due(NAME, 0)) is not None:
            try:
                erasures.removed = await asyncio.to_thread(self._sink.erase, erasure)
            except StoreUnavailableError as error:
                _log.warning("the store does not take a person out, trying again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                return
            erasures.done(NAME, 0)

    async def _insert(self, topic: str, batches: Sequence[Batch]) -> int:
        """Insert until it is done: the store may be away, and then the pipeline waits, unless the rows are now for
        another worker to insert.
        """
        table, token = TABLE_OF[topic], token_of(topic, batches)
        try:
            while True:
                for batch in batches:
                    batch.check()
                try:
                    return await asyncio.to_thread(self._insert_now, table, batches, token)
                except StoreUnavailableError as error:
                    self._context.away[NAME] = f"the store does not take {table}: {error}"
                    self._context.metrics.sink_error(table)
                    _log.warning("the store does not take %s, trying again: %s", table, error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._context.away.pop(NAME, None)

    def _insert_now(self, table: str, batches: Sequence[Batch], token: str) -> int:
        values = [value for batch in batches for value in batch.values]
        return self._sink.insert(table, join_blocks(table, values), token)


def token_of(topic: str, batches: Sequence[Batch]) -> str:
    """Names a block by where its rows come from: the same records, and only they, give the same token."""
    ranges = [f"{batch.partition}:{batch.offsets[0]}-{batch.offsets[-1]}" for batch in batches]
    return f"{topic} {' '.join(ranges)}"
