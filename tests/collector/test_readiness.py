"""``/readyz``: a topic that does not take hits shows, and is forgotten when it does or nobody tries."""

from typing import Any

import pytest
from aiohttp import ClientSession

from pipeline.collector import publisher

from .conftest import UNAVAILABLE, Server, hit


async def readiness(client: ClientSession, server: Server) -> tuple[int, Any]:
    async with client.get(f"{server.url}/readyz") as answer:
        return answer.status, (await answer.json())["reasons"]


async def send(client: ClientSession, server: Server) -> int:
    async with client.post(f"{server.url}/v1/hits", json=hit()) as answer:
        return answer.status


async def test_not_ready_until_the_topic_takes_hits_again(server: Server, client: ClientSession) -> None:
    server.topic.down = UNAVAILABLE
    assert await send(client, server) == 503
    assert await readiness(client, server) == (503, [f"the topic does not take hits: {UNAVAILABLE}"])
    server.topic.down = None
    assert await send(client, server) == 200
    assert await readiness(client, server) == (200, [])


async def test_ready_to_be_tried_again_after_a_while(
    server: Server, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A balancer that sends nothing to who is not ready would never find out."""
    monkeypatch.setattr(publisher, "_FRESH_SECONDS", 60)
    server.topic.down = UNAVAILABLE
    await send(client, server)
    assert (await readiness(client, server))[0] == 503
    monkeypatch.setattr(publisher, "_FRESH_SECONDS", 0)
    assert (await readiness(client, server))[0] == 200
