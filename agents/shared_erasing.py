"""Erasing a person from the topics and the store of several workers. Led by the one that has the store.

    hits, then rows that are under way arrive -> who it is (asks the store) -> stays out from now on -> each hop
    forgets, in the order of the data, in its units of work -> what they said arrives -> the store -> topics -> receipt

Steps go through the topic ``erasures``. All of it can be done again: a leader that comes later starts afresh.
"""

import asyncio
import secrets
from collections.abc import Iterable
from functools import partial

import msgspec
from faust.types import TP
from msgspec.structs import replace

from agents.erasing import FORGETTING, Receipt, who
from agents.hop import wall_ms
from agents.leading import Leader
from agents.store import TABLE_OF
from pipeline.core.suppression import KEY_BYTES, digest
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.transport.kafka.known import KEY, out
from pipeline.transport.kafka.topics import SEGMENT_MS
from pipeline.zones import in_utc
from schemas.erasure import Erasure, Request
from schemas.topics import EVIDENCE, FACTS, HIT_ROWS, HITS, HOUR_MS, SIGNALS, TOUCHPOINTS

READS = {"sessionizer": HITS.name, "journeys": EVIDENCE.name, "persons": TOUCHPOINTS.name}
PASSED_ON = (
    EVIDENCE.name,
    TOUCHPOINTS.name,
    FACTS.name,
    *(name for name in TABLE_OF if name != SIGNALS.name),
)
"""Topics of which nobody needs what has been consumed: whoever tells signals may be behind with those."""
COMPACTED_MS = 25 * HOUR_MS


class SharedEraser:
    """One request at a time. See :class:`agents.leading.Errand`."""

    def __init__(self, settings: Settings, leader: Leader, client: Client) -> None:
        self._settings = settings
        self._leader = leader
        self._known = leader.control.known
        self._client = client

    def pending(self) -> Iterable[tuple[int, str]]:
        """See Errand."""
        return [(request.number, name) for name, request in self._known.requests.items()]

    async def do(self, name: str) -> None:
        """See Errand."""
        if not self._known.key:
            await self._leader.write([(KEY, secrets.token_bytes(KEY_BYTES))])
        receipt = await self._do(self._known.requests[name])
        await self._leader.write(list(self._known.finished(name, msgspec.json.encode(receipt))))

    async def _do(self, request: Request) -> Receipt:
        let_pass = partial(self._leader.let_pass, request.number)
        await let_pass((HITS.name,))
        await let_pass(TABLE_OF)
        erasure, shared = await asyncio.to_thread(who, self._client, request)
        await self._keep_out(erasure)
        for hop in FORGETTING:
            await let_pass((READS[hop],), erasure)
        await let_pass(TABLE_OF)
        found, _ = await asyncio.to_thread(who, self._client, request)
        erasure = replace(erasure, visitors=erasure.visitors | found.visitors)
        await self._keep_out(erasure)
        (removed,) = await let_pass((HIT_ROWS.name,), erasure, partitions=1)
        await self._delete_consumed()
        return Receipt(
            number=request.number,
            site=request.site,
            person=digest(self._known.key, request.site, request.kind, request.id).hex(),
            found=bool(removed),
            asked_time=request.asked_ms,
            finished_time=wall_ms(),
            visitors=len(erasure.visitors),
            shared_visitors=len(shared),
            store_rows=removed,
            remains=self._remains(wall_ms()),
        )

    def _remains(self, now_ms: int) -> list[str]:
        signals_ms = now_ms + SIGNALS.retention_ms + SEGMENT_MS
        hits_ms = now_ms + round(self._settings.hits_retention_hours * HOUR_MS) + SEGMENT_MS
        return [
            f"hits in the topic {self._leader.name(HITS.name)} until {in_utc(hits_ms)} (hits_retention_hours): "
            "whoever replays them, they stay out",
            f"signals in the topic {self._leader.name(SIGNALS.name)} until {in_utc(signals_ms)}",
            "what hops remembered, in journals until later entries replace them, "
            f"in topics that the broker compacts until {in_utc(now_ms + COMPACTED_MS)}",
            "hashes of hit ids, which name nobody, for `dedupe_hours`",
            "copies that you have made",
        ]

    async def _keep_out(self, erasure: Erasure) -> None:
        names = [("u", user) for user in erasure.users] + [("v", visitor) for visitor in erasure.visitors]
        await self._leader.write(out(self._known.digest(erasure.site, *name) for name in names))

    async def _delete_consumed(self) -> None:
        transport = self._leader.transport
        offsets = transport.offsets
        tps = {
            TP(self._leader.name(topic), partition)
            for topic in PASSED_ON
            for partition in range(transport.partitions(topic))
        }
        committed, begins = await offsets.committed(tps), await offsets.begins(tps)
        await offsets.delete({tp: offset for tp, offset in committed.items() if offset > begins[tp]})
