"""Beside the hops: signals -> one signed message each to the setting ``webhook_url``. Decides nothing: see
pipeline.watching.webhook.

A consumer of its own, with offsets of its own: the pipeline never waits for the receiver. Messages of a partition go
out one after the other, in order; a receiver that is away is tried again, longer and longer apart, until the signal is
too old to be worth telling. Offsets are committed once all of a batch is told, so a restart goes on there, and may
tell what it had told of that batch again, under the same ids.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agents.app import attach, create_app
from agents.hop import Context
from agents.owned import OwnedHop
from pipeline.metrics import Metrics
from pipeline.settings import Settings, SettingsError
from pipeline.store.blocks import read_blocks
from pipeline.transport.batch import Batch
from pipeline.transport.kafka.connection import faust_urls
from pipeline.transport.kafka.driver import Cluster
from pipeline.transport.kafka.names import Names
from pipeline.watching.webhook import (
    Message,
    Verdict,
    headers_of,
    message_of,
    secret_of,
    verdict_of,
    wait_seconds,
)
from schemas.topics import HOUR_MS, SIGNALS

NAME = "webhook"
APP = "masir-webhook"  # whose offsets these are
MOST_RECORDS = 100  # of one batch: what a restart may tell again
SETTLE_SECONDS = 1.0  # so long others wait when partitions are shared anew: a receiver may be away for hours
ANSWER_SECONDS = 15.0  # the standard's advice: 15 to 30
Post = Callable[[bytes, dict[str, str]], Awaitable[int | None]]
_log = logging.getLogger(__name__)


class Webhook:
    """``post`` sends a body with headers and returns the answer's status, None if there was none."""

    def __init__(
        self,
        context: Context,
        post: Post,
        secret: bytes,
        *,
        give_up_ms: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._context = context
        self._post = post
        self._secret = secret
        self._give_up_ms = give_up_ms
        self._sleep = sleep
        self._dice = dice

    async def handle(self, batch: Batch) -> None:
        """Tell the signals in their order, then commit."""
        if batch.is_tick:
            return
        for signal in _rows(batch.values):
            await self._tell(message_of(signal), batch)
        unit = self._context.transport.unit()
        await unit.commit([batch], [], now_ms=self._context.now_ms())

    async def _tell(self, message: Message, batch: Batch) -> None:
        attempt = 0
        while True:
            batch.check()
            now_ms = self._context.now_ms()
            if now_ms - message.raised_ms > self._give_up_ms:
                self._context.metrics.webhook(Verdict.GIVEN_UP)
                _log.warning("a signal was too old to be told")
                return
            attempt += 1
            status = await self._post(message.body, headers_of(message, self._secret, now_ms))
            verdict = verdict_of(status)
            self._context.metrics.webhook(verdict)
            if verdict is not Verdict.RETRIED:
                if verdict is Verdict.REFUSED:
                    _log.warning("the webhook's receiver refused a signal: %s", status)
                return
            seconds = wait_seconds(attempt, self._dice())
            _log.warning("the webhook's receiver said %s, again in %.0f s", status or "nothing", seconds)
            await self._sleep(seconds)


def _rows(values: Sequence[bytes]) -> list[dict[str, Any]]:
    table = read_blocks("signals", values)
    times = table.column("time").cast("int64").to_pylist()
    rows = [row | {"time": time} for row, time in zip(table.to_pylist(), times, strict=True)]
    return [row | {"state": "withdrawn"} if row["withdrawn"] else row for row in rows]


def read_secret(settings: Settings) -> bytes:
    """The secret of the settings' file; SettingsError names the file and what is wrong."""
    path = Path(settings.webhook_secret_file)
    try:
        return secret_of(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"webhook_secret_file {path}: {error}") from error


@asynccontextmanager
async def poster(url: str) -> AsyncIterator[Post]:
    """A :data:`Post` to ``url``. Redirects are not followed: they could lead what is signed elsewhere."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def post(body: bytes, headers: dict[str, str]) -> int | None:
            try:
                async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                    return answer.status
            except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError):
                return None  # UnicodeError: a host that is none

        yield post


@asynccontextmanager
async def telling(
    settings: Settings, broker: str, metrics: Metrics, on_crash: Callable[[Exception], None]
) -> AsyncIterator[None]:
    """A Faust app of its own on ``broker``, with its own offsets, that tells signals for as long as it is entered."""
    secret = read_secret(settings)
    async with poster(settings.webhook_url) as post:
        app = create_app(APP, broker)
        app.transport.most_records = MOST_RECORDS
        give_up_ms = round(settings.webhook_give_up_hours * HOUR_MS)
        hop = Webhook(Context(app.transport, metrics), post, secret, give_up_ms=give_up_ms)
        attach(app, NAME, hop, (SIGNALS.name,), on_crash)
        app.finalize()
        await app.start()
        try:
            yield
        finally:
            await app.stop()


@asynccontextmanager
async def sharing(
    settings: Settings, cluster: Cluster, metrics: Metrics, on_crash: Callable[[Exception], None]
) -> AsyncIterator[None]:
    """The same over Kafka: partitions are shared with the other workers, in a consumer group of their own."""
    secret, names = read_secret(settings), Names(settings.broker_prefix, NAME)
    async with poster(settings.webhook_url) as post:
        app = create_app(
            names.group,
            faust_urls(settings),
            broker_session_timeout=settings.worker_lost_seconds,
            broker_heartbeat_interval=settings.worker_lost_seconds / 3,
        )
        transport = app.transport
        transport.join(cluster._replace(names=names))
        transport.most_records = MOST_RECORDS
        transport.owning.settle_seconds = SETTLE_SECONDS
        give_up_ms = round(settings.webhook_give_up_hours * HOUR_MS)
        hop = OwnedHop(
            NAME,
            lambda: Webhook(Context(transport, metrics), post, secret, give_up_ms=give_up_ms),
            (SIGNALS.name,),
            metrics,
            per_partition=False,
        )
        transport.owning.on_lost.append(hop.forget)
        attach(app, NAME, hop, (names.topic(SIGNALS.name),), on_crash)
        app.finalize()
        await app.start()
        try:
            yield
        finally:
            app.consumer.stop_flow()
            await transport.owning.close()
            await app.stop()
