"""Synthetic customers who come now, in real time, to a collector: for looking at a pipeline that runs.

Those of the last day and a half come at once, so that there is something to see. They are the shop's customers,
numbered as those of the demo's history, so some come back after months.
"""

from collections.abc import Iterator

from msgspec import Struct, json

from pipeline.demo.simulator import simulate
from pipeline.sources.replay import Pace, Replay
from pipeline.sources.targets import open_target

SEED = 8
DAYS = 3
CUSTOMERS_PER_DAY = 10_000
BEFORE_MS = 36 * 3_600_000
PATIENCE_S = 3_600.0


class _Timed(Struct):
    time: int


_decode = json.Decoder(_Timed).decode


async def keep_coming(collector: str, *, now_ms: int) -> None:
    """Send to ``collector`` (http://HOST:PORT) until the days are over. ReplayError: it takes no hits."""
    hits, _ = simulate(seed=SEED, customers=CUSTOMERS_PER_DAY * DAYS, start_ms=now_ms - BEFORE_MS, days=DAYS)
    async with open_target(collector) as target:
        replay = Replay(target, pace=Pace(speed=1), patience_s=PATIENCE_S)
        await replay.run(_timed(hits), first_ms=now_ms)


def _timed(hits: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    for hit in hits:
        yield _decode(hit).time, hit
