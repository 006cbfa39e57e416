"""Synthetic traffic: a shop whose truth is known, and plain load (load.py). Nobody in it exists.

    hits, truth = simulate(seed=1, customers=2_000, start_ms=..., days=30)

Pure: the same arguments give the same bytes. Order: event time. Memory: the lives of those who have arrived
and are not at their end, and one number for each arrival to come.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush

import orjson

from pipeline.demo.catalogue import BOTS
from pipeline.demo.life import CURRENCY, DAY_MS, ORIGIN, Hit, Invitation, Life
from pipeline.demo.load import load_stream
from pipeline.demo.shop import ARCHETYPES, friend
from pipeline.demo.touchpoints import PAID
from pipeline.demo.truth import Customer, Truth

__all__ = ["Customer", "Truth", "load_stream", "simulate"]

_TWO_DEVICES = 0.25  # share of the known customers


def simulate(
    *, seed: int, customers: int, start_ms: int, days: float, site: str = "shop", dirt: float = 0.0
) -> tuple[Iterator[bytes], Truth]:
    """The hits of a shop with ``customers`` who come by themselves, and the friends whom promoters invite.

    ``dirt``: chance after each hit of a duplicate of it, of a bot's hit, and of a malformed one. The truth is complete
    when the last hit has been taken. A visit that has begun before the end of the ``days`` is finished.
    """
    if customers < 0 or days <= 0 or not 0 <= dirt <= 1:
        raise ValueError("customers must be at least 0, days more than 0, dirt between 0 and 1")
    truth = Truth()
    clean = _clean(truth, seed, customers, site, start_ms, start_ms + int(days * DAY_MS))
    return _soiled(clean, truth, random.Random(f"dirt/{seed}"), site, dirt), truth


def _clean(truth: Truth, seed: int, customers: int, site: str, start_ms: int, end_ms: int) -> Iterator[Hit]:
    """Everything that happens, in order: a customer's life is written when the customer arrives."""
    rng = random.Random(f"arrivals/{seed}")
    times = sorted(rng.randrange(start_ms, end_ms) for _ in range(customers))
    arrivals = [Invitation(time, f"{number:06}", "") for number, time in enumerate(times)]
    pending = list(_ad_costs(rng, site, start_ms, end_ms))
    pending.sort()
    while arrivals or pending:
        if arrivals and (not pending or arrivals[0].time <= pending[0].time):
            arrival = heappop(arrivals)
            if arrival.time < end_ms:
                life = _live(arrival, truth, seed, site, end_ms)
                for hit in life.hits:
                    heappush(pending, hit)
                for invitation in life.invitations:
                    heappush(arrivals, invitation)
        else:
            yield heappop(pending)


def _live(arrival: Invitation, truth: Truth, seed: int, site: str, end_ms: int) -> Life:
    rng = random.Random(f"{seed}/{arrival.key}")
    names = list(ARCHETYPES)
    name = "friend" if arrival.code else rng.choices(names, [ARCHETYPES[name][0] for name in names])[0]
    known = name == "friend" or ARCHETYPES[name][1]
    customer = Customer(arrival.key, name, known)
    truth.customers.append(customer)
    devices = 2 if known and rng.random() < _TWO_DEVICES else 1
    life = Life(customer, truth, rng=rng, site=site, start_ms=arrival.time, end_ms=end_ms, devices=devices)
    if name == "friend":
        friend(life, arrival.code)
    else:
        ARCHETYPES[name][2](life)
    return life


def _ad_costs(rng: random.Random, site: str, start_ms: int, end_ms: int) -> Iterator[Hit]:
    """What each paid channel cost, told once a day by the advertising platform."""
    for day, time in enumerate(range(start_ms + DAY_MS - 1, end_ms, DAY_MS)):
        for number, entry in enumerate(PAID):
            hit = {
                "site": site,
                "event": "ad_cost",
                "visitor_id": "ad-platform",
                "hit_id": f"cost-{day}-{number}",
                "time": time,
                "channel": entry.channel,
                "url": f"{ORIGIN}/{entry.query}",
                "revenue": rng.randint(2_000, 9_000) / 100,
                "currency": CURRENCY,
            }
            yield Hit(time, "ad-platform", day * len(PAID) + number, True, orjson.dumps(hit))


def _soiled(hits: Iterator[Hit], truth: Truth, rng: random.Random, site: str, dirt: float) -> Iterator[bytes]:
    for hit in hits:
        truth.hits += 1
        truth.background += hit.background
        truth.interactive += not hit.background
        yield hit.raw
        if not dirt:
            continue
        if rng.random() < dirt:
            truth.hits += 1
            truth.duplicates += 1
            yield hit.raw
        if rng.random() < dirt:
            truth.hits += 1
            truth.bots += 1
            yield _bot(rng, site, hit.time, truth.bots)
        if rng.random() < dirt:
            truth.hits += 1
            truth.malformed += 1
            yield _malformed(rng, site, hit.raw)


def _bot(rng: random.Random, site: str, time: int, number: int) -> bytes:
    hit = {
        "site": site,
        "event": "page_view",
        "visitor_id": f"crawler-{rng.randrange(5)}",
        "hit_id": f"bot-{number}",
        "time": time,
        "url": f"{ORIGIN}/blog/",
        "user_agent": rng.choice(BOTS),
    }
    return orjson.dumps(hit)


def _malformed(rng: random.Random, site: str, raw: bytes) -> bytes:
    """One of the ways in which hits break: cut short, no site, a time in words, a stranger's protocol."""
    kind = rng.randrange(4)
    if kind == 0:
        return raw[: len(raw) // 2]
    if kind == 1:
        return b'{"event":"page_view","visitor_id":"lost"}'
    if kind == 2:
        return b'{"site":"%s","event":"page_view","visitor_id":"lost","time":"yesterday"}' % site.encode()
    return b"\x16\x03\x01\x02\x00"
