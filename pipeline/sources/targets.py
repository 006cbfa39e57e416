"""Where a replay goes: a collector's ``POST /v1/hits``, or the topic ``hits``, in a broker's file or on Kafka."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from pipeline.collector.publisher import Publisher, Unavailable
from pipeline.collector.sites.registry import Denial
from pipeline.collector.stamping import stamp, take_in
from pipeline.settings import load
from pipeline.sources.errors import SourceError
from pipeline.sources.replay import Answer, ReplayError, Target, TooLarge, TryAgain
from pipeline.transport.kafka.connection import SCHEME as KAFKA
from pipeline.transport.kafka.publish import publishing
from pipeline.transport.log import Log
from pipeline.transport.publish import LogPublisher
from schemas.topics import HITS

TIMEOUT_S = 60
_SQLITE = "sqlite://"
_HEADERS = {"Content-Type": "application/x-ndjson"}


# Refused at the door and not kept, for want of a key or an origin: sending more of them would lose more.
_SHUT_OUT = frozenset(Denial) - {Denial.PRIVACY, Denial.RATE}


class _Refused(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    accepted: int
    refused: list[_Refused]


def key_of(file: Path | None) -> str:
    """The key in a file; it shall stand in no command line, where anybody on the machine could read it."""
    try:
        return file.read_text().strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot be read as a key: {error}", str(file)) from error


@asynccontextmanager
async def open_target(address: str, secret: str = "") -> AsyncIterator[Target]:
    """``http(s)://HOST:PORT``, ``sqlite:///PATH`` or ``kafka://HOST:PORT[,…]``; :class:`SourceError` for anything else.

    ``secret``: a server key of the site, where the collector has a registry of sites. By what right Kafka is entered,
    and the prefix of its topics, the environment's settings say.
    """
    if address.startswith(_SQLITE):
        with closing(_log_with_hits(Path(address.removeprefix(_SQLITE)))) as log:
            yield TopicTarget(LogPublisher(log, consumer="", now_ms=_now_ms), address)
        return
    if address.startswith(KAFKA):
        async with publishing(load(os.environ, broker=address), now_ms=_now_ms) as publisher:
            yield TopicTarget(publisher, address)
        return
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        expected = "http://HOST:PORT, https://HOST:PORT, sqlite:///PATH or kafka://HOST:PORT"
        raise SourceError(f"--to {address}: {expected} is expected")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {secret}"} if secret else None
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield CollectorTarget(session, address.rstrip("/") + "/v1/hits")


class CollectorTarget:
    """A batch is one request of NDJSON; the collector takes all of it or none."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def send(self, hits: list[bytes]) -> Answer:
        try:
            async with self._session.post(self._url, data=b"\n".join(hits), headers=_HEADERS) as response:
                return self._answer(response, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryAgain(f"{self._url} does not answer: {error or 'too slow'}") from error

    def _answer(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        status = response.status
        if status == 413:
            raise TooLarge
        if status in (408, 429) or status >= 500:
            after = response.headers.get("Retry-After", "")
            raise TryAgain(f"{self._url} answered {status}", float(after) if after.isdecimal() else None)
        try:
            answer = msgspec.json.decode(body, type=_Body) if status in (200, 400) else None
        except msgspec.DecodeError:
            answer = None
        if answer is None:
            raise ReplayError(f"{self._url} answered {status}: is a collector of Masir listening there?")
        for refused in answer.refused:
            if refused.reason in _SHUT_OUT:
                raise ReplayError(
                    f"{self._url} does not let these hits in: {refused.message or refused.reason}"
                )
        return Answer(answer.accepted, len(answer.refused))


class TopicTarget:
    """Does the collector's work on the way: stamps the hits and publishes them, durable when it returns."""

    def __init__(self, publisher: Publisher, address: str) -> None:
        self._publisher, self._address = publisher, address

    async def send(self, hits: list[bytes]) -> Answer:
        taken = take_in(hits, stamp(_now_ms(), user_agent="", accept_language=""))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._publisher.publish(taken.records)
        except (Unavailable, TimeoutError) as error:
            raise TryAgain(f"{self._address} does not answer: {error or 'too slow'}") from error
        return Answer(len(hits) - len(taken.refused), len(taken.refused))


def _log_with_hits(path: Path) -> Log:
    if not path.is_file():
        raise SourceError("there is no such broker file; masir run makes it", str(path))
    log = Log(path)
    if log.partitions(HITS.name) is None:
        log.close()
        raise SourceError(f"has no topic {HITS.name}; masir run makes it", str(path))
    return log


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
