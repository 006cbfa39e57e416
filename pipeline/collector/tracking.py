"""Requests of trackers, on their way through a protocol: HTTP request -> events -> bytes of hits -> answer.

What becomes of each event is kept in its place: the gate refuses it (it is counted and not kept), the judge refuses
it (a dead letter), or it is taken.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiohttp import web

from pipeline.collector.limits import Limits
from pipeline.collector.protocols.base import Answer, Event, Gate, Refusal, Request, Sites
from pipeline.collector.protocols.fields import arrival_times, clean, encoded
from pipeline.collector.stamping import Refused
from pipeline.core.decode import Flaw, decode

_ORIGIN = re.compile(r"[\x21-\x7e]{1,512}")
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~, -]{1,1024}", re.ASCII)
_MAX_KEY_CHARS = 1_024  # a longer one is nobody's, and would be written for each event of a batch
_FORGED = Refusal("wrong_type", "", "what a protocol cannot read is no hit, whatever the judge says")


def request_of(
    http: web.Request,
    body: bytes,
    *,
    ip: str,
    received_ms: int,
    salts: tuple[str, str],
    limits: Limits,
    sites: Sites,
) -> Request:
    """The request as protocols see it."""
    path, _, query = clean(http.raw_path).partition("?")
    return Request(
        method=http.method,
        path=path,
        query=query,
        headers=http.headers,
        body=body,
        ip=ip,
        received_ms=received_ms,
        day_salt=salts[0],
        month_salt=salts[1],
        max_body_bytes=limits.max_body_bytes,
        max_events=limits.max_hits_per_request,
        sites=sites,
    )


class Admitted(NamedTuple):
    """``hits``: what to publish; ``places``: which event each of them is; ``barred``: what the gate refused."""

    hits: list[bytes]
    places: list[int]
    barred: dict[int, Refusal]

    def verdicts(self, refused: Sequence[Refused]) -> list[Refusal | None]:
        """One for each event, once the judge has spoken."""
        found: dict[int, Refusal] = dict(self.barred)
        for one in refused:
            found[self.places[one.index]] = Refusal(one.reason, one.field, one.message)
        return [found.get(place) for place in range(len(self.hits) + len(self.barred))]

    def refused(self, refused: Sequence[Refused]) -> list[Refused]:
        """All that were not taken, in the order of the request."""
        if not self.barred:
            return list(refused)
        verdicts = enumerate(self.verdicts(refused))
        return [Refused(place, *verdict) for place, verdict in verdicts if verdict is not None]


def admit(protocol: str, request: Request, events: Sequence[Event], gate: Gate) -> Admitted:
    """Each event's hit with its site, unless the gate refuses it. Several without a time stay in their order."""
    admitted = Admitted([], [], {})
    arrivals = arrival_times(request.received_ms, len(events))
    for place, event in enumerate(events):
        timed = _timed(event, arrivals[place]) if len(events) > 1 else event
        hit = _bytes_of(protocol, request, timed, gate)
        if isinstance(hit, Refusal):
            admitted.barred[place] = hit
        else:
            admitted.hits.append(hit)
            admitted.places.append(place)
    return admitted


def _timed(event: Event, arrival: int) -> Event:
    if isinstance(event.hit, bytes) or event.hit.get("time") is not None:
        return event
    # The client's clock has nothing to do with the time of arrival.
    rest = {name: value for name, value in event.hit.items() if name != "sent_time"}
    return event._replace(hit={**rest, "time": arrival})


def _bytes_of(protocol: str, request: Request, event: Event, gate: Gate) -> bytes | Refusal:
    if isinstance(event.hit, bytes):
        # It goes to the dead letters. A body made to be a hit all the same would come past the gate.
        return event.hit if isinstance(decode(event.hit), Flaw) else _FORGED
    key, secret = event.key[:_MAX_KEY_CHARS], event.secret[:_MAX_KEY_CHARS]
    site = gate(protocol, request, event._replace(key=key, secret=secret))
    return site if isinstance(site, Refusal) else encoded({"site": site, **event.hit})


def cors(headers: Mapping[str, str]) -> dict[str, str]:
    """What a browser asks of any answer. Trackers send with credentials, so a wildcard would not do."""
    found = {"Cross-Origin-Resource-Policy": "cross-origin"}
    origin = headers.get("Origin", "")
    if _ORIGIN.fullmatch(origin):
        found |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
            "Vary": "Origin",
        }
    return found


def preflight(headers: Mapping[str, str]) -> web.Response:
    """Whatever a page wants to send, it may."""
    allowed = {"Access-Control-Allow-Methods": "GET, POST, OPTIONS", "Access-Control-Max-Age": "600"}
    asked = headers.get("Access-Control-Request-Headers", "")
    if _HEADER_NAMES.fullmatch(asked):
        allowed["Access-Control-Allow-Headers"] = asked
    return web.Response(status=204, headers={**cors(headers), **allowed})


def response_of(answer: Answer, headers: Mapping[str, str]) -> web.Response:
    """The answer as HTTP; ``headers`` are the request's."""
    return web.Response(
        status=answer.status,
        body=answer.body or None,
        content_type=answer.content_type or None,
        headers={**cors(headers), **answer.headers},
    )
