"""A hop behind a gate: while it is shut, batches wait, and nothing of the hop is at work."""

import asyncio

from agents.hop import Hop
from pipeline.transport.batch import Batch


class Gate:
    """Open at first."""

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._at_work = 0

    async def handle(self, batch: Batch) -> None:
        """As the hop does, when it may."""
        while not self._is_open.is_set():
            await self._is_open.wait()  # and it may have been shut again since
        self._at_work += 1
        self._is_idle.clear()
        try:
            await self.hop.handle(batch)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._is_idle.set()

    async def shut(self) -> None:
        """Returns when the batches at work are done."""
        self._is_open.clear()
        await self._is_idle.wait()

    def open(self) -> None:
        """Batches go on."""
        self._is_open.set()
