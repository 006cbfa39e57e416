"""The webhook's agent: a topic on disk and a receiver that listens, is away, refuses, and comes back."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from agents.hop import wall_ms
from agents.webhook import poster, telling
from pipeline.metrics import Metrics
from pipeline.settings import Settings, SettingsError
from pipeline.store.blocks import blocks_of
from pipeline.transport.log import DATABASE, Log
from schemas.signal import Signal
from schemas.topics import SIGNALS

KEY = b"k" * 32
SECONDS = 20.0


class Receiver:
    """A system that checks signatures. ``answers``: the statuses to come, then 200."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ids: list[str] = []
        self.answers: list[int] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/masir", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert abs(int(headers["webhook-timestamp"]) - wall_ms() / 1000) < 60
        self.ids.append(headers["webhook-id"])
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.told.append(json.loads(body)["data"]["person_id"])
        return web.Response(status=status)


class World:
    """A data directory with the topic, and what is told of it."""

    def __init__(self, directory: Path, receiver: Receiver) -> None:
        self.database = directory / DATABASE
        self.receiver = receiver
        self.metrics = Metrics(version="1")
        self.crashes: list[Exception] = []
        secret = directory / "secret"
        secret.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
        self.settings = Settings(
            data=str(directory),
            webhook_url=f"http://127.0.0.1:{receiver.port}/masir",
            webhook_secret_file=str(secret),
        )
        with closing(Log(self.database)) as log:
            log.create_topic(SIGNALS.name, partitions=1, retention_ms=SIGNALS.retention_ms)

    def raise_signals(self, *persons: str, age_ms: int = 0) -> None:
        """One batch of signals."""
        time_ms = wall_ms() - age_ms
        signals = [
            Signal("shop", who, "payment", 0.4, "raised", time_ms, 0, "{}", False, 1) for who in persons
        ]
        with closing(Log(self.database)) as log, log.transaction():
            log.append(SIGNALS.name, 0, blocks_of("signals", signals), now_ms=time_ms)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        broker = f"sqlite://{quote(str(self.database))}"
        async with telling(self.settings, broker, self.metrics, self.crashes.append):
            yield
        assert not self.crashes

    def attempts(self, outcome: str) -> float:
        families = text_string_to_metric_families(self.metrics.expose().decode())
        return sum(s.value for f in families for s in f.samples if s.labels == {"outcome": outcome})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    receiver = Receiver()
    await receiver.start()
    yield World(tmp_path, receiver)
    await receiver.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_signals_are_told_in_their_order_also_those_that_come_later(world: World) -> None:
    world.raise_signals("a", "b")
    async with world.telling():
        await until(lambda: len(world.receiver.told) == 2)
        world.raise_signals("c")
        await until(lambda: len(world.receiver.told) == 3)
    assert world.receiver.told == ["a", "b", "c"]
    assert world.attempts("delivered") == 3


async def test_a_restart_goes_on_where_it_was(world: World) -> None:
    world.raise_signals("a")
    async with world.telling():
        await until(lambda: world.receiver.told == ["a"])
        await asyncio.sleep(0.2)  # for the commit
    world.raise_signals("b")
    async with world.telling():
        await until(lambda: "b" in world.receiver.told)
    assert world.receiver.told == ["a", "b"]


async def test_a_receiver_that_is_away_is_told_when_it_comes_back_also_after_a_restart(world: World) -> None:
    await world.receiver.stop()
    world.raise_signals("a", "b")
    async with world.telling():
        await until(lambda: world.attempts("retried") >= 2)
    async with world.telling():
        await until(lambda: world.attempts("retried") >= 3)
        await world.receiver.start()
        await until(lambda: len(world.receiver.told) == 2)
    assert world.receiver.told == ["a", "b"]


async def test_what_was_told_of_a_batch_and_not_committed_comes_again_under_the_same_id(world: World) -> None:
    world.receiver.answers = [200, 503]
    world.raise_signals("a", "b")
    async with world.telling():
        await until(lambda: len(world.receiver.ids) >= 2)
    async with world.telling():
        await until(lambda: "b" in world.receiver.told)
    assert world.receiver.told == ["a", "a", "b"]
    assert len(set(world.receiver.ids)) == 2


async def test_a_busy_receiver_is_asked_again_and_a_refusal_is_final(world: World) -> None:
    world.receiver.answers = [503, 429, 200, 422]
    world.raise_signals("a", "b", "c")
    async with world.telling():
        await until(lambda: world.receiver.told == ["a", "c"])
    assert (world.attempts("retried"), world.attempts("refused"), world.attempts("delivered")) == (2, 1, 2)


async def test_what_is_too_old_is_not_told(world: World) -> None:
    world.raise_signals("old", age_ms=24 * 3_600_000 + 1_000)
    world.raise_signals("new")
    async with world.telling():
        await until(lambda: world.receiver.told == ["new"])
    assert world.attempts("given_up") == 1


async def test_a_secret_that_cannot_be_read_is_named(world: World) -> None:
    Path(world.settings.webhook_secret_file).write_text("whsec_short")
    with pytest.raises(SettingsError, match="webhook_secret_file"):
        async with world.telling():
            pass


@pytest.mark.parametrize("url", ["http://a..b/", f"http://{'a' * 70}.example/", "http://127.0.0.1:9/"])
async def test_an_address_that_leads_nowhere_gives_no_answer(url: str) -> None:
    async with poster(url) as post:
        assert await post(b"{}", {}) is None
