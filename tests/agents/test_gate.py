"""A hop behind a gate: what waits, what is finished first, and that a gate shut again stays shut."""

import asyncio

from effects_kit import batch

from agents.gate import Gate
from pipeline.transport.batch import Batch


class Slow:
    def __init__(self) -> None:
        self.seen: list[int] = []
        self.may_end = asyncio.Event()

    async def handle(self, batch: Batch) -> None:
        await self.may_end.wait()
        self.seen.append(batch.partition)


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_shut_waits_for_what_is_at_work_and_holds_what_comes() -> None:
    hop = Slow()
    gate = Gate(hop)
    at_work = asyncio.ensure_future(gate.handle(batch("evidence", partition=1)))
    await soon()
    shutting = asyncio.ensure_future(gate.shut())
    await soon()
    assert not shutting.done()
    hop.may_end.set()
    await shutting
    assert at_work.done()
    assert hop.seen == [1]
    waiting = asyncio.ensure_future(gate.handle(batch("evidence", partition=2)))
    await soon()
    assert hop.seen == [1]
    gate.open()
    await gate.shut()  # before the waiting one has had its turn
    await soon()
    assert hop.seen == [1]
    gate.open()
    await waiting
    assert hop.seen == [1, 2]
