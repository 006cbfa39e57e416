"""One snapshot for all who look; none when nobody does; what has changed, or the whole for who was slow."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from pipeline.live import hub as module
from pipeline.live.hub import MOST_SHARE, Budget, Hub
from pipeline.live.snapshot import Snapshot
from pipeline.store.errors import StoreUnavailableError


class World:
    """What the hub looks at. ``looks``, ``asks``: how often it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
        monkeypatch.setattr(module, "STORE_EVERY_SECONDS", 0.02)
        monkeypatch.setattr(module, "MOST_SHARE", 1.0)
        self.looks: list[str] = []
        self.asks: list[str] = []
        self.value = 0
        self.look_fault: Exception | None = None
        self.ask_fault: Exception | None = None
        self.hub = Hub(self._looker, self._ask)

    def _looker(self, site: str) -> Any:
        def look() -> Snapshot:
            self.looks.append(site)
            if self.look_fault:
                raise self.look_fault
            return {"site": site, "value": self.value, "same": [1]}

        return look

    async def _ask(self, site: str, snapshot: Snapshot) -> Snapshot:
        assert snapshot["site"] == site
        self.asks.append(site)
        if self.ask_fault:
            raise self.ask_fault
        return {"stored": self.value}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def merged(following: AsyncGenerator[Snapshot, None], wanted: Snapshot) -> Snapshot:
    """What one who follows knows once it is what is wanted."""
    known: Snapshot = {}
    async with asyncio.timeout(5):
        async for changes in following:
            known |= changes
            if wanted.items() <= known.items():
                return known
    raise AssertionError("it ended")


async def test_nothing_is_computed_when_nobody_looks(world: World) -> None:
    await asyncio.sleep(0.1)
    assert (world.looks, world.asks) == ([], [])
    following = world.hub.follow("a")
    await anext(following)
    assert world.hub.viewers == 1
    await following.aclose()
    assert world.hub.viewers == 0
    await asyncio.sleep(0.05)
    looks = len(world.looks)
    await asyncio.sleep(0.1)
    assert len(world.looks) == looks


async def test_all_who_look_at_a_site_share_one_look(world: World) -> None:
    viewers = [world.hub.follow("a") for _ in range(20)]
    for viewer in viewers:
        assert (await anext(viewer))["value"] == 0
    assert len(world.looks) == 1
    for viewer in viewers:
        await viewer.aclose()


async def test_the_whole_first_and_then_what_has_changed(world: World) -> None:
    following = world.hub.follow("a")
    assert await anext(following) == {"site": "a", "value": 0, "same": [1]}
    assert await merged(following, {"stored": 0}) == {"stored": 0}
    world.value = 5
    assert await merged(following, {"value": 5, "stored": 5}) == {"value": 5, "stored": 5}
    await following.aclose()


async def test_who_was_slow_gets_the_whole(world: World) -> None:
    following = world.hub.follow("a")
    await anext(following)
    await asyncio.sleep(0.3)
    assert (await anext(following))["same"] == [1]
    await following.aclose()


async def test_sites_are_apart(world: World) -> None:
    one, other = world.hub.follow("a"), world.hub.follow("b")
    assert (await anext(one))["site"] == "a"
    assert (await anext(other))["site"] == "b"
    await merged(one, {"stored": 0})
    await merged(other, {"stored": 0})
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize("fault", [StoreUnavailableError("away"), KeyError("watermark")])
async def test_a_store_that_does_not_answer_stops_nothing_else(world: World, fault: Exception) -> None:
    world.ask_fault = fault
    following = world.hub.follow("a")
    await anext(following)
    world.value = 7
    await merged(following, {"value": 7})
    assert world.asks
    world.ask_fault = None
    await merged(following, {"stored": 7})
    await following.aclose()


async def test_a_look_that_fails_is_tried_again(world: World) -> None:
    following = world.hub.follow("a")
    await anext(following)
    world.look_fault = RuntimeError("dictionary changed size during iteration")
    await asyncio.sleep(0.1)
    world.look_fault = None
    world.value = 7
    await merged(following, {"value": 7})
    await following.aclose()


async def test_closing_sends_everybody_away(world: World) -> None:
    async def follow() -> int:
        return len([changes async for changes in world.hub.follow("a")])

    viewers = [asyncio.create_task(follow()) for _ in range(3)]
    await asyncio.sleep(0.1)
    await world.hub.close()
    async with asyncio.timeout(2):
        assert all(await asyncio.gather(*viewers))
    assert await follow() == 0, "and nobody comes in any more"


@pytest.mark.parametrize(
    ("took", "rest"), [(0.0, 1.0), (MOST_SHARE, 1.0), (2 * MOST_SHARE, 2.0), (1.2, 1.2 / MOST_SHARE)]
)
def test_work_that_takes_long_is_done_more_rarely(took: float, rest: float) -> None:
    assert Budget(1.0).rest(took) == pytest.approx(rest)
