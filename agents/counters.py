"""A hop: facts -> counter rows, and the gauges. Decides nothing: see core.counters."""

import msgspec

from agents.hop import Context
from pipeline.core.counters import Counters as Core
from pipeline.settings import SettingsError
from pipeline.store.blocks import blocks_of
from pipeline.transport.batch import Batch
from pipeline.transport.state import StateStore
from schemas import topics
from schemas.counter import Facts

NAME = "counters"
VERSION = "\x00version"  # no key of the core's begins so
_decode = msgspec.msgpack.Decoder(Facts).decode


class Counters:
    """A site's facts all come to one partition, so each ratio is made, and exported, in one place."""

    def __init__(self, context: Context, *, pane_ms: int) -> None:
        self._context = context
        self._pane_ms = pane_ms
        self._partitions: dict[int, tuple[Core, StateStore]] = {}

    async def handle(self, batch: Batch) -> None:
        """Add the facts, send the rows of the panes that changed, commit, publish the gauges."""
        core, store = self._partition(batch.partition)
        if batch.is_tick:
            return
        version = int.from_bytes(store.get(VERSION) or b"") + 1
        rows = core.apply(map(_decode, batch.values), version)
        store[VERSION] = version.to_bytes(8)
        for key, value in core.changes():
            store[_text(key)] = value
        unit = self._context.transport.unit()
        unit.send(topics.COUNTERS.name, batch.partition, blocks_of("counters", rows))
        await unit.commit([batch], [store], now_ms=self._context.now_ms())
        self._context.metrics.publish(batch.partition, core.snapshot())
        self._context.metrics.end_to_end(NAME, [(self._context.now_ms() - min(batch.timestamps)) / 1000])

    def _partition(self, partition: int) -> tuple[Core, StateStore]:
        known = self._partitions.get(partition)
        if known is None:
            store = self._context.transport.state(NAME, partition)
            try:
                core = Core(lambda key: store.get(_text(key)), pane_ms=self._pane_ms)
            except ValueError as error:
                raise SettingsError(f"pane_seconds: {error}; that cannot change") from error
            known = self._partitions[partition] = core, store
            self._context.metrics.publish(partition, core.snapshot())
        return known


def _text(key: bytes) -> str:
    """The core's keys are bytes, the store's text; Latin-1 gives each byte its letter."""
    return key.decode("latin-1")
