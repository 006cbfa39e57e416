"""What a protocol is given and what it gives. Times are ms UTC. See the package's docstring for the contract."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from pipeline.collector.body import S, counted
from pipeline.collector.pixel import GIF

Hit = dict[str, Any]


class Sites(Protocol):
    """What protocols ask of the registry of sites. ``site``: its name."""

    def secret_of(self, site: str, protocol: str) -> bytes | None:
        """The secret that the site's webhooks or links are signed with; None: there is none."""

    def domains_of(self, site: str) -> tuple[str, ...]:
        """The site's own domains, to which its links may lead without a signature."""

    def is_good_token(self, site: str, token: str, event: str) -> bool:
        """Has this token signed no other event of the site?"""


class NoSites:
    """Without a registry nothing can be signed."""

    def secret_of(self, _site: str, _protocol: str) -> bytes | None:
        """None."""
        return None

    def domains_of(self, _site: str) -> tuple[str, ...]:
        """None of them."""
        return ()

    def is_good_token(self, _site: str, _token: str, _event: str) -> bool:
        """No."""
        return False


class Request(Struct, frozen=True, kw_only=True):
    """One HTTP request. ``headers``: any case of letters. ``ip``: the visitor's as far as it can be known."""

    method: str
    path: str
    query: str = ""  # as it came, still percent-encoded
    headers: Mapping[str, str] = {}
    body: bytes = b""  # inflated
    ip: str = ""
    received_ms: int = 0
    day_salt: str = ""  # go into the names of visitors that have no id (``visitors``), and change
    month_salt: str = ""
    max_body_bytes: int = 4 * 1024 * 1024  # for what a protocol itself inflates
    max_events: int = 10_000
    sites: Sites = NoSites()

    def listed(self, found: S, at_most: int = sys.maxsize) -> S:
        """What events are to be made of, as it came; ``body.TooManyError`` if it is too much."""
        return counted(found, min(self.max_events, at_most))


class Event(NamedTuple):
    """One thing that happened, as a hit; or the bytes of what cannot be read.

    ``is_signed``: the protocol has checked a signature made with the secret of the site that ``key`` names.
    """

    hit: Hit | bytes
    key: str = ""
    secret: str = ""
    consent: str = ""
    is_signed: bool = False


class Refusal(NamedTuple):
    """Why an event was not taken: by the judge (a reason of ``schemas.outcome.Reason``) or by the gate."""

    reason: str
    field: str = ""
    message: str = ""


class Answer(NamedTuple):
    """What the client is told. ``headers`` beside those of CORS."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = {}


Verdicts = Sequence[Refusal | None]


class Parsed(NamedTuple):
    """What was found in a request, and what to answer.

    ``is_urgent``: a person waits for the answer, and gets it also when no hit can be taken now.
    """

    events: Sequence[Event] = ()
    answer: Answer | Callable[[Verdicts], Answer] = Answer()
    rejected: str = ""
    is_urgent: bool = False

    def answered(self, verdicts: Verdicts) -> Answer:
        """The answer, now that it is known what became of the events."""
        return self.answer if isinstance(self.answer, Answer) else self.answer(verdicts)


class Route(NamedTuple):
    """Where a protocol listens. ``path``: a regular expression for all of the path."""

    protocol: str
    methods: frozenset[str]
    path: re.Pattern[str]
    parse: Callable[[Request], Parsed | None]
    busy_status: int = 503  # what is answered when too much is under way; 429 where clients know Retry-After


def route(
    protocol: str,
    methods: str,
    path: str,
    parse: Callable[[Request], Parsed | None],
    *,
    busy_status: int = 503,
) -> Route:
    """A line of the table: ``methods`` separated by blanks."""
    return Route(protocol, frozenset(methods.split()), re.compile(path), parse, busy_status)


Gate = Callable[[str, Request, Event], str | Refusal]
"""(protocol, request, event) -> the site of the event, or why it is refused."""


NO_STORE = {"Cache-Control": "no-cache, no-store, must-revalidate"}
IMAGE = Answer(200, GIF, "image/gif", NO_STORE)
EMPTY = Answer(204)


def json_answer(body: bytes, status: int = 200) -> Answer:
    """An answer of JSON."""
    return Answer(status, body, "application/json")
