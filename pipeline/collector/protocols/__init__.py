"""How today's trackers speak, one module per protocol; :mod:`.table` shows all of them.

A protocol is a pure function ``parse(request: Request) -> Parsed | None``: no IO, no clock, no randomness.

* ``Request``: one HTTP request as it came, its body inflated; ``received_ms`` and the visitor salts are handed in.
  The parser goes by path and bytes, never by Content-Type. None: "not mine", and the next route that matches is
  asked. Any bytes give a ``Parsed``, and nothing is raised but ``TooManyError``, by ``Request.listed``.
* A list that becomes events goes through ``Request.listed`` before anything is built of it. What the events share is
  read and fitted once, before each of them takes it up: a request costs about what it has bytes, and what its events
  may hold.
* ``Parsed.events``: what was found, in the request's order. An ``Event`` holds ``hit``, a dict in the contract's
  form (section 1) without ``site`` and ``received_time``; or, of what cannot be read, the bytes as they came.
  The parser does not judge: it leaves out what it does not find, and the judge (``core.decode``) refuses the hit
  with a reason, as a dead letter. What is too long is cut by ``fields.fitted``, so that no hit is lost to a title.
* ``Event.key`` is what the protocol calls the site (idsite, app id, domain, measurement id, write key),
  ``Event.secret`` a credential of server-to-server paths ("" where there is none), ``Event.consent`` what the wire
  says of analytics storage: "granted", "denied", or "" when it says nothing.
* A *gate* (``Gate``) maps the event to a site or refuses it: the registry of sites does. Without a registry
  the key is the site's name, and the judge refuses a key that can be none.
* ``Parsed.answer`` is an ``Answer``, or a function that makes it of the verdicts: one per event, in order, None for
  an event that was taken, else its ``Refusal``. It is sent after the hits are durable, also when all were refused.
* A webhook's signature is checked by the protocol, with ``request.sites.secret_of(site, protocol)``; its events are
  ``is_signed`` and their key is the site's name, which the webhook's path ends in.
* ``Parsed.rejected``, if set, says why the request as a whole is turned away (bad signature, two tokens in one
  batch); nothing of it is published, and ``answer`` is sent.
* A path that only asks (settings, config) is a ``Parsed`` without events.

The server does the rest: limits, inflating, preflights and CORS (any origin, mirrored headers: the credentials that
browsers attach are not read), stamping, publishing, and what is said when nothing was taken: 408, 413, and 429 or
503 (``Route.busy_status``) with ``Retry-After``. Every event found is published or refused by the gate, and counted.
"""

from pipeline.collector.protocols.base import Answer, Event, Parsed, Refusal, Request, Route

__all__ = ["Answer", "Event", "Parsed", "Refusal", "Request", "Route"]
