"""What the tests of protocols share: a request by hand, and the hits that the judge takes of it."""

from typing import Any

import msgspec

from pipeline.collector.protocols.base import Answer, Event, Parsed, Refusal, Request
from pipeline.collector.protocols.table import listening, parse
from pipeline.collector.stamping import stamp, take_in
from pipeline.collector.tracking import admit
from schemas.hit import Hit

NOW_MS = 1_795_305_600_000  # 2026-11-22 UTC
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"


def request(method: str, target: str, body: bytes | Any = b"", **headers: str) -> Request:
    """``body``: bytes, or what becomes JSON. ``headers``: underscores are hyphens."""
    path, _, query = target.partition("?")
    return Request(
        method=method,
        path=path,
        query=query,
        headers={name.replace("_", "-"): value for name, value in {"User_Agent": CHROME, **headers}.items()},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        ip="203.0.113.7",
        received_ms=NOW_MS,
        day_salt="day",
        month_salt="month",
    )


def parsed(asked: Request) -> Parsed:
    """What the table's parser finds."""
    found = parse(listening(asked.path), asked)
    assert found is not None, f"nobody listens at {asked.method} {asked.path}"
    return found[1]


class Judged:
    """Of one request: ``hits`` as the contract's records, ``refusals``, the ``answer``, and ``published`` bytes."""

    def __init__(self, asked: Request) -> None:
        found = parse(listening(asked.path), asked)
        assert found is not None, f"nobody listens at {asked.method} {asked.path}"
        route, self.parsed = found
        admitted = admit(route.protocol, asked, self.parsed.events, lambda _, __, event: event.key)
        mark = stamp(asked.received_ms, user_agent=asked.headers.get("User-Agent", ""), accept_language="")
        taken = take_in(admitted.hits, mark)
        self.published = [value for _, value in taken.records]
        verdicts = admitted.verdicts(taken.refused)
        self.refusals: list[Refusal] = [verdict for verdict in verdicts if verdict is not None]
        self.answer: Answer = self.parsed.answered(verdicts)
        bad = {refused.index for refused in taken.refused}
        good = [value for place, value in enumerate(self.published) if place not in bad]
        self.records = [msgspec.json.decode(value, type=Hit) for value in good]
        self.hits: list[dict[str, Any]] = [msgspec.json.decode(value) for value in good]

    @property
    def hit(self) -> dict[str, Any]:
        """The only one."""
        (found,) = self.hits
        return found


def judged(method: str, target: str, body: bytes | Any = b"", **headers: str) -> Judged:
    """A request by hand, through the whole way but the network."""
    return Judged(request(method, target, body, **headers))


def only(events: list[Event] | Any) -> Event:
    """The only event."""
    (found,) = events
    assert isinstance(found, Event)
    return found
