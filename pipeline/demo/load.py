"""Synthetic load: page views of many interleaved visitors, fast. Its shape is realistic, its people do not exist.

Units: ms, UTC. Order: event time. A visitor comes back ``RETURN_MS`` after the last visit began, so all
visitors stay within an hour of each other: in state all the time, at any number of hits. A visit lasts under
8 minutes, so sessions never run into one another. Memory: the visits under way, some 5 % of the visitors.
Same arguments, same bytes.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush, heapreplace

from pipeline.demo.catalogue import LOCALES, USER_AGENTS

RETURN_MS = 3_600_000
MAX_HITS_PER_VISIT = 15
MAX_GAP_MS = 32_000

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15  # odd, so multiplying by it modulo 2**64 is one to one: ids never collide
_ORIGIN = "https://example.com"
_PAGES = tuple(
    (f"{_ORIGIN}/{name}-{number}", f"{name.title()} {number}")
    for name in ("shoes", "coats", "hats", "guide")
    for number in range(100, 250)
)
_ENTRIES = (
    ("", ""),
    ("https://www.google.com/", ""),
    ("https://www.google.com/", "?gclid=EAIaIQobChMI7b"),
    ("https://www.bing.com/", ""),
    ("https://www.facebook.com/", "?utm_source=facebook&utm_medium=paid_social&utm_campaign=autumn"),
    ("", "?utm_source=newsletter&utm_medium=email&utm_campaign=weekly"),
    ("https://news.example.org/", ""),
)


def load_stream(
    *, seed: int, visitors: int, hits: int, site: str = "load", start_ms: int = 1_767_225_600_000
) -> Iterator[bytes]:
    """``hits`` hits, each JSON of about 355 bytes, of exactly ``visitors`` visitors.

    When there are fewer hits than visitors: of as many visitors as hits.
    """
    if visitors < 1 or hits < 0:
        raise ValueError("visitors must be at least 1 and hits at least 0")
    rng = random.Random(seed)
    salt = rng.getrandbits(64)
    step, top = rng.random, len(_PAGES)
    visits = _visits(rng, min(visitors, hits), hits, site, salt, start_ms)
    waiting = next(visits, None)
    under_way: list[_Visit] = []
    for number in range(hits):
        while waiting and (not under_way or waiting[0] <= under_way[0][0]):
            heappush(under_way, waiting)
            waiting = next(visits, None)
        time, visit, left, referrer, query, head, tail = under_way[0]
        url, title = _PAGES[int(step() * top)]
        yield (
            f'{head}{(number * _SPREAD + salt) & _MASK:016x}","time":{time},"url":"{url}{query}",'
            f'"referrer":"{referrer}","title":"{title}{tail}'
        ).encode()
        if left == 1:
            heappop(under_way)
        else:
            gap = 1 + int(step() * MAX_GAP_MS)
            heapreplace(under_way, (time + gap, visit, left - 1, url, "", head, tail))


# time of the next hit, number of the visit (breaks ties), hits left, referrer, query of the entry, and the
# parts of the JSON that stay the same within the visit
_Visit = tuple[int, int, int, str, str, str, str]


def _visits(
    rng: random.Random, visitors: int, hits: int, site: str, salt: int, start_ms: int
) -> Iterator[_Visit]:
    longest = max(1, min(MAX_HITS_PER_VISIT, 2 * hits // max(visitors, 1) - 1))
    visit = 0
    while hits:
        unseen = max(visitors - visit - 1, 0)  # each of them needs one hit
        length = min(rng.randint(1, longest), hits - unseen)
        visitor = visit % visitors
        referrer, query = rng.choice(_ENTRIES)
        language, _ = LOCALES[visitor % len(LOCALES)]
        head = (
            f'{{"site":"{site}","event":"page_view",'
            f'"visitor_id":"{(visitor + salt) * _SPREAD & _MASK:016x}","hit_id":"'
        )
        agent = USER_AGENTS[(visitor >> 3) % len(USER_AGENTS)]
        tail = f'","user_agent":"{agent}","language":"{language}"}}'
        yield start_ms + visit * RETURN_MS // visitors, visit, length, referrer, query, head, tail
        hits -= length
        visit += 1
