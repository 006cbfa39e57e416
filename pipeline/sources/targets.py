"""Where a replay goes: a collector's ``POST /v1/hits``, or the topic ``hits``, in a broker's file or on Kafka."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from pipeline.collector.publisher import Unavailable
from pipeline.collector.sites.registry import Denial
from pipeline.collector.stamping import Taken, stamp, take_in
from pipeline.core.ids import partition_of
from pipeline.settings import load
from pipeline.sources.errors import SourceError
from pipeline.sources.replay import Answer, ReplayError, Target, TooLarge, TryAgain
from pipeline.transport.kafka.connection import SCHEME as KAFKA
from pipeline.transport.kafka.publish import KafkaPublisher, publishing
from pipeline.transport.log import Log
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
        target = BrokerTarget(Path(address.removeprefix(_SQLITE)))
        try:
            yield target
        finally:
            target.close()
        return
    if address.startswith(KAFKA):
        async with publishing(load(os.environ, broker=address), now_ms=_now_ms) as publisher:
            yield KafkaTarget(publisher, address)
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


class BrokerTarget:
    """Does the collector's work on the way: stamps the hits and appends them to the topic, durably."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError("there is no such broker file; masir run makes it", str(path))
        self._log = Log(path)
        partitions = self._log.partitions(HITS.name)
        if partitions is None:
            self._log.close()
            raise SourceError(f"has no topic {HITS.name}; masir run makes it", str(path))
        self._partitions = partitions

    def close(self) -> None:
        self._log.close()

    async def send(self, hits: list[bytes]) -> Answer:
        now_ms = _now_ms()
        taken = _taken(hits, now_ms)
        by_partition: defaultdict[int, list[bytes]] = defaultdict(list)
        for key, value in taken.records:
            by_partition[partition_of(key.decode(), self._partitions)].append(value)
        with self._log.transaction():
            for partition, values in by_partition.items():
                self._log.append(HITS.name, partition, values, now_ms=now_ms)
        return Answer(len(hits) - len(taken.refused), len(taken.refused))


class KafkaTarget:
    """The same on Kafka, on all in-sync replicas."""

    def __init__(self, publisher: KafkaPublisher, address: str) -> None:
        self._publisher, self._address = publisher, address

    async def send(self, hits: list[bytes]) -> Answer:
        taken = _taken(hits, _now_ms())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._publisher.publish(taken.records)
        except (Unavailable, TimeoutError) as error:
            raise TryAgain(f"{self._address} does not answer: {error or 'too slow'}") from error
        return Answer(len(hits) - len(taken.refused), len(taken.refused))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _taken(hits: list[bytes], now_ms: int) -> Taken:
    return take_in(hits, stamp(now_ms, user_agent="", accept_language=""))
