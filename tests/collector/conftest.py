"""A real collector on a free port, in front of a topic in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from pipeline.collector.limits import Limits
from pipeline.collector.publisher import Record, Unavailable
from pipeline.collector.server import Collector

NOW_MS = 1_763_760_000_000


class MemoryTopic:
    """A publisher that keeps what it is given. ``down``: raised instead. ``gate``: it waits if closed.

    ``asked``: how many records it was ever given.
    """

    def __init__(self) -> None:
        self.publishes: list[list[Record]] = []
        self.asked = 0
        self.down: Exception | None = None
        self.unread = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, records: list[Record]) -> None:
        self.asked += len(records)
        await self.gate.wait()
        if self.down is not None:
            raise self.down
        self.publishes.append(records)

    def backlog(self) -> int:
        return self.unread

    @property
    def records(self) -> list[Record]:
        return [record for records in self.publishes for record in records]

    @property
    def hits(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(value) for _, value in self.records]


class Server:
    """A collector, its topic, its address."""

    def __init__(self, collector: Collector, topic: MemoryTopic, port: int) -> None:
        self.collector = collector
        self.topic = topic
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def has_in_hand(self, hits: int) -> None:
        """Waits until so many have come since the start, and stand before the topic or are in it."""
        async with asyncio.timeout(20):
            while self.topic.asked + self.collector._commit.waiting < hits:
                await asyncio.sleep(0.01)


Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts collectors: ``await start(limits=..., ready=...)``."""
    servers: list[Server] = []

    async def start_one(limits: Limits | None = None, **options: Any) -> Server:
        topic = MemoryTopic()
        options = {"now_ms": lambda: NOW_MS, **options}
        collector = Collector(topic, limits=limits, **options)
        server = Server(collector, topic, await collector.start("127.0.0.1", 0))
        servers.append(server)
        return server

    yield start_one
    for server in servers:
        server.topic.gate.set()
        await server.collector.stop()


@pytest.fixture
async def server(start: Start) -> Server:
    return await start()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def hit(**fields: Any) -> dict[str, Any]:
    """A hit with the fields that it must have."""
    return {"site": "shop", "event": "page_view", "visitor_id": "v1", **fields}


UNAVAILABLE = Unavailable("the broker is away")
