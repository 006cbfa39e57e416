"""Inputs for fuzzing: hits, hits with something wrong, and no hits at all. Same seed, same bytes."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from schemas.hit import Hit

FIELDS = Hit.__struct_fields__
_NASTY_TEXT = [
    "",
    " ",
    "\x00",
    "\x1f",
    "a\nb",
    "سفر",
    "\ud800",
    "🛒" * 40,
    "x" * 129,
    "y" * 5_000,
    "../..",
    "%zz%",
]
_NASTY_URLS = [
    "http://[",
    "//",
    "https://a b/c",
    "?utm_source=%ff&gclid=",
    "https://x/" + "z" * 3_000,
    "javascript:1",
]
_NASTY_NUMBERS = [
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
    10**40,
    0.1,
    -0.0,
    1e308,
    1e12,
    -1e12,
    1e-320,
]
_NASTY_TIMES = [
    "now",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
]
_NASTY_BYTES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{" * 2_000,
    b"[" * 100_000,
    b'{"a":' * 1_500,
    b"\xff\xfe",
    b"1e999",
]
_EVENTS = ["page_view", "purchase", "refund", "survey_response", "email_open", "ad_cost", "e" * 64, "e" * 65]

Noise = Callable[[random.Random, Sequence[bytes]], bytes]


def value(rng: random.Random, depth: int = 0) -> Any:
    """Anything JSON can say."""
    kind = rng.randrange(9 if depth == 0 else 8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice(_NASTY_NUMBERS)
    if kind == 2:
        return rng.randrange(-(2 ** rng.randrange(70)), 2 ** rng.randrange(70))
    if kind == 3:
        return rng.choice(_NASTY_URLS + _NASTY_TIMES + _EVENTS)
    if kind == 4:
        return rng.choice(_NASTY_TEXT)
    if kind == 5:
        return rng.uniform(-1e15, 1e15)
    if kind == 6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {str(value(rng, 4)): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    return {f"k{number}": value(rng, 4) for number in range(rng.randrange(60, 70))}


def whole(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """A hit as it is."""
    return rng.choice(hits)


def changed_field(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """One field or several with another value, missing, or unknown."""
    fields = json.loads(rng.choice(hits))
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice(FIELDS)
        how = rng.randrange(5)
        if how == 0:
            fields.pop(name, None)
        elif how == 1:
            fields[rng.choice(["extra", "Site", "", "utm"])] = value(rng)
        else:
            fields[name] = value(rng)
    return json.dumps(fields, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")


def changed_bytes(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """Cut, doubled, overwritten."""
    raw = bytearray(rng.choice(hits))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(raw) + 1)
        how = rng.randrange(4)
        if how == 0:
            del raw[at:]
        elif how == 1:
            del raw[at : at + rng.randrange(20)]
        elif how == 2:
            raw[at:at] = raw[at : at + rng.randrange(40)]
        else:
            raw[at : at + 1] = rng.randbytes(rng.randrange(1, 4))
    return bytes(raw)


def two_at_once(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """Two hits that ran into one another."""
    return rng.choice(hits) + rng.choice((b"", b" ", b",", b"\n")) + rng.choice(hits)


def any_json(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """JSON, but hardly a hit."""
    return json.dumps(value(rng)).encode()


def any_bytes(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """Not JSON."""
    return rng.randbytes(rng.randrange(200))


def known_trouble(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """What parsers have stumbled over."""
    return rng.choice(_NASTY_BYTES)


def too_large(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """About as large as a hit may be, or larger."""
    return rng.choice(hits)[:-1] + b',"x":"' + b"x" * rng.randrange(65_000, 66_000) + b'"}'


def rich(rng: random.Random, hits: Sequence[bytes]) -> bytes:
    """An order by one of a few, of as much as an amount may be: sums leave the range of 64 bits."""
    fields = json.loads(hits[0])
    fields |= {
        "visitor_id": rng.choice("ab"),
        "event": "purchase",
        "revenue": rng.choice((1e12, 1e12, -1e12)),
    }
    del fields["hit_id"]
    return json.dumps(fields).encode()


_WEIGHTS: dict[Noise, int] = {
    whole: 300,
    changed_field: 400,
    changed_bytes: 200,
    two_at_once: 20,
    any_json: 50,
    any_bytes: 30,
    known_trouble: 10,
    too_large: 1,
    rich: 10,
}


def inputs(seed: int, count: int, hits: Sequence[bytes]) -> list[tuple[bytes, bool]]:
    """(bytes, are they a hit as it was) of each. Each seed has a mixture of its own."""
    rng = random.Random(seed)
    weights = [weight * rng.choice((0, 1, 1, 20)) for weight in _WEIGHTS.values()]
    makers = rng.choices(list(_WEIGHTS), weights if any(weights) else None, k=count)
    return [(make(rng, hits), make is whole) for make in makers]
