"""Sends hits in order, at a chosen pace, until each is acknowledged. The clock and the target are handed in.

One request is under way at a time, so the order is kept. What is not acknowledged (429, 503, an error of the
server, no answer) is sent again after ``Retry-After`` or a growing pause; every hit has a ``hit_id``, so that
the second copy is a duplicate and not a second hit. Errors: :class:`ReplayError` when nothing was
acknowledged for ``patience_s``, or the answer is not a collector's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec

from pipeline.sources.times import to_ms

MIN_PAUSE_S = 0.02  # at a high rate hits go out in batches, this far apart
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0

_TIMES = ("time", "sent_time", "received_time")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_moment = msgspec.json.Decoder(int | datetime).decode


class ReplayError(Exception):
    """The hits could not be delivered. Start or repair the collector and replay again."""


class TryAgain(Exception):  # noqa: N818  (an answer, not an error)
    """Nothing was taken; ``after_s``: when to try again, None if the target did not say."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class TooLarge(Exception):  # noqa: N818  (an answer, not an error)
    """Nothing was taken, since the batch is too large."""


class Answer(NamedTuple):
    """What became of one batch that was acknowledged."""

    accepted: int
    refused: int


class Target(Protocol):
    """Where the hits go."""

    async def send(self, hits: list[bytes]) -> Answer:
        """Returns when they are durable. TryAgain, TooLarge, ReplayError: none of them was taken."""


class Summary(msgspec.Struct):
    """``hits`` = ``accepted + refused``; ``retries``: requests that had to be repeated."""

    hits: int = 0
    accepted: int = 0
    refused: int = 0
    retries: int = 0
    seconds: float = 0.0
    hits_per_second: float = 0.0


class Pace(NamedTuple):
    """``rate``: hits per second; ``speed``: times real time; neither: as fast as the target takes them."""

    rate: float = 0.0
    speed: float = 0.0

    def due_s(self, number: int, since_first_ms: int) -> float:
        """When to send the hit, in seconds after the start."""
        if self.rate:
            return number / self.rate
        return since_first_ms / 1_000 / self.speed if self.speed else 0.0


def prepared(raw: bytes, number: int, shift_ms: int = 0) -> bytes:
    """The hit with its times shifted and, if it had none, with a ``hit_id`` made of its place and content.

    What is not a JSON object, and a time that is none, is left as it is.
    """
    try:
        hit = _members(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    if shift_ms:
        hit |= {field: _shifted(hit[field], shift_ms) for field in _TIMES if field in hit}
    if bytes(hit.get("hit_id", b"null")) == b"null":
        digest = blake2b(b"%d:%b" % (number, msgspec.json.encode(hit)), digest_size=12).hexdigest()
        hit["hit_id"] = msgspec.Raw(b'"%b"' % digest.encode())
    elif not shift_ms:
        return raw
    return msgspec.json.encode(hit)


def _shifted(value: msgspec.Raw, shift_ms: int) -> msgspec.Raw:
    try:
        moment = _moment(value)
    except msgspec.DecodeError:
        return value
    return msgspec.Raw(b"%d" % ((to_ms(moment) if isinstance(moment, datetime) else moment) + shift_ms))


class Replay:
    """One delivery. ``progress(n)`` is told of every ``n`` more hits that are acknowledged."""

    def __init__(
        self,
        target: Target,
        *,
        pace: Pace,
        batch_hits: int = 500,
        patience_s: float = 60.0,
        progress: Callable[[int], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._target, self._pace, self._batch_hits = target, pace, batch_hits
        self._patience_s, self._progress = patience_s, progress
        self._clock, self._sleep = clock, sleep
        self._summary = Summary()

    async def run(self, hits: Iterator[tuple[int, bytes]], *, first_ms: int) -> Summary:
        """Sends ``hits`` (event time, hit), the first of which happened at ``first_ms``."""
        start = self._clock()
        batch: list[bytes] = []
        for number, (time_ms, raw) in enumerate(hits):
            due = start + self._pace.due_s(number, time_ms - first_ms)
            if due > self._clock():
                await self._deliver(batch)
                batch = []
                while (early := due - self._clock()) > 0:
                    await self._sleep(max(early, MIN_PAUSE_S))
            batch.append(raw)
            if len(batch) >= self._batch_hits:
                await self._deliver(batch)
                batch = []
        await self._deliver(batch)
        self._summary.seconds = self._clock() - start
        self._summary.hits_per_second = self._summary.hits / max(self._summary.seconds, 1e-9)
        return self._summary

    async def _deliver(self, batch: list[bytes]) -> None:
        if not batch:
            return
        try:
            answer = await self._acknowledged(batch)
        except TooLarge:
            if len(batch) > 1:
                await self._deliver(batch[: len(batch) // 2])
                await self._deliver(batch[len(batch) // 2 :])
                return
            answer = Answer(0, 1)
        self._summary.hits += len(batch)
        self._summary.accepted += answer.accepted
        self._summary.refused += answer.refused
        self._progress(len(batch))

    async def _acknowledged(self, batch: list[bytes]) -> Answer:
        begun, pause = self._clock(), FIRST_RETRY_S
        while True:
            try:
                return await self._target.send(batch)
            except TryAgain as error:
                wait = error.after_s
                if wait is None:
                    wait, pause = pause, min(pause * 2, LONGEST_RETRY_S)
                if self._clock() + wait - begun > self._patience_s:
                    sent = self._summary.hits
                    message = (
                        f"{error}; gave up after {self._patience_s:g} s, {sent:,} hits were acknowledged"
                    )
                    raise ReplayError(message) from error
            self._summary.retries += 1
            await self._sleep(wait)
