"""From Faust's consumer to its agents: all that is ready in one turn of the event loop."""

import asyncio
from collections.abc import AsyncIterator

from pipeline.transport.message import hand_on


class Consumer:
    """Gives three messages at a time, twice."""

    should_stop = False

    def __init__(self) -> None:
        self.given = self.turn = 0
        self.seen: list[tuple[str, int]] = []

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[None, str]]:
        await asyncio.sleep(0)
        self.given += 1
        for number in range(3):
            yield None, f"{self.given}.{number}"
        self.should_stop = self.given == 2

    async def callback(self, message: str) -> None:
        self.seen.append((message, self.turn))

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)


async def test_what_is_ready_together_is_handed_on_together() -> None:
    consumer = Consumer()
    counting = asyncio.create_task(consumer.count_turns())
    await hand_on(consumer, Consumer())
    counting.cancel()
    assert [message for message, _ in consumer.seen] == ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2"]
    first, second = {turn for _, turn in consumer.seen[:3]}, {turn for _, turn in consumer.seen[3:]}
    assert len(first) == len(second) == 1, "no turn of the loop between two of them"
    assert first != second


async def test_it_ends_with_the_fetcher() -> None:
    consumer, fetcher = Consumer(), Consumer()
    fetcher.should_stop = True
    await hand_on(consumer, fetcher)
    assert consumer.seen == []
