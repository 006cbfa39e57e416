"""Senders that do not give up: each sends its hits in order over one connection until all are acknowledged.

Seconds are seconds. The address may change while they send: whoever starts a process again tells it by a function.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from bench.running import wait_for
from pipeline.core.plain_fields import keys_of

CONNECTIONS = 4
BATCH = 5
PAUSE_SECONDS = 0.05  # between the requests of a connection: 400 hits take a second at least
_REQUEST_SECONDS = 30.0
_RETRY_SECONDS = 0.05


class Connection:
    """One HTTP connection to whatever address the process has now."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._http: HTTPConnection | None = None
        self._url = ""

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """``POST /v1/hits``: status and answer. Raises OSError or HTTPException when nobody answers."""
        url = self._address()
        if not url:
            raise ConnectionRefusedError("the process is not up")
        if self._http is None or url != self._url:
            self.close()
            self._url = url
            self._http = HTTPConnection(urlsplit(url).netloc, timeout=_REQUEST_SECONDS)
        try:
            self._http.request("POST", "/v1/hits", body)
            answer = self._http.getresponse()
            return answer.status, msgspec.json.decode(answer.read())
        except (OSError, HTTPException, msgspec.DecodeError):
            self.close()
            raise

    def close(self) -> None:
        """The next post opens another one."""
        if self._http is not None:
            self._http.close()
            self._http = None


class Sender(threading.Thread):
    """Sends hits in order over one connection, each batch until it is acknowledged.

    ``pause_seconds``: after each batch. ``acknowledged``: hits so far. ``resent``: hits sent again because
    the answer did not come. Ends when all are acknowledged, or at :meth:`give_up`.
    """

    def __init__(
        self, hits: Sequence[bytes], address: Callable[[], str], *, batch: int, pause_seconds: float = 0.0
    ) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.resent = 0
        self._hits = hits
        self._batch = batch
        self._pause_seconds = pause_seconds
        self._given_up = threading.Event()
        self._connection = Connection(address)

    def run(self) -> None:
        """See the class."""
        while self.acknowledged < len(self._hits) and not self._given_up.is_set():
            batch = self._hits[self.acknowledged : self.acknowledged + self._batch]
            if self._post(batch):
                self.acknowledged += len(batch)
                self._given_up.wait(self._pause_seconds)
            else:
                self._given_up.wait(_RETRY_SECONDS)
        self._connection.close()

    def _post(self, batch: Sequence[bytes]) -> bool:
        try:
            status, _ = self._connection.post(b"\n".join(batch))
        except ConnectionRefusedError:  # nobody is there: nothing was sent
            return False
        except (OSError, HTTPException, msgspec.DecodeError):
            self.resent += len(batch)
            return False
        return status == 200

    def give_up(self) -> None:
        """Send nothing more."""
        self._given_up.set()


@contextmanager
def sending(
    hits: Sequence[bytes],
    address: Callable[[], str],
    *,
    connections: int,
    batch: int,
    pause_seconds: float = 0.0,
) -> Iterator[list[Sender]]:
    """Senders at work; a visitor's hits all go over one connection, in their order."""
    shares: list[list[bytes]] = [[] for _ in range(connections)]
    for key, raw in zip(keys_of(hits), hits, strict=True):
        shares[crc32(key) % connections].append(raw)
    senders = [Sender(share, address, batch=batch, pause_seconds=pause_seconds) for share in shares]
    for sender in senders:
        sender.start()
    try:
        yield senders
    finally:
        for sender in senders:
            sender.give_up()
        for sender in senders:
            sender.join()


def wait_for_hits(senders: Sequence[Sender], count: int) -> None:
    wait_for(
        lambda: sum(sender.acknowledged for sender in senders) >= count, f"{count} hits are acknowledged"
    )


def strike_under_load(
    hits: Sequence[bytes],
    address: Callable[[], str],
    strikes: Sequence[Callable[[], object]],
    rng: random.Random,
) -> list[Sender]:
    """Each strike while its share of the hits is sent, at a random one of them. Who sent them."""
    ends = [len(hits) * number // len(strikes) for number in range(len(strikes) + 1)]
    everyone: list[Sender] = []
    for strike, (start, end) in zip(strikes, pairwise(ends), strict=True):
        with sending(
            hits[start:end], address, connections=CONNECTIONS, batch=BATCH, pause_seconds=PAUSE_SECONDS
        ) as senders:
            wait_for_hits(senders, rng.randrange(end - start))
            strike()
            wait_for_hits(senders, end - start)
        everyone += senders
    return everyone
