"""Erasing a person from the topics and the store of several workers. Done by the one that has the first partition of
``hit_rows``, and so the store.

    hits, then rows that are under way arrive -> who it is (asks the store) -> stays out from now on -> each hop
    forgets, in the order of the data, in its units of work -> what they said arrives -> the store -> topics -> receipt

Steps go through the topic ``erasures``. They come from a transactional producer: an owner that comes later shuts the
earlier one out and begins from the beginning, which can be done again.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP
from msgspec.structs import replace

from agents.erasing import FORGETTING, Receipt, who
from agents.hop import wall_ms
from agents.store import TABLE_OF
from pipeline.core.suppression import KEY_BYTES, digest
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.errors import StoreError
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.driver import Transport
from pipeline.transport.kafka.followed import Record
from pipeline.transport.kafka.known import KEY, out, step
from pipeline.transport.kafka.names import ERASURES
from pipeline.transport.kafka.topics import SEGMENT_MS
from pipeline.transport.kafka.transactions import PartitionLostError, Transactions
from schemas.erasure import Erasure, Place, Request, Step
from schemas.topics import EVIDENCE, FACTS, HIT_ROWS, HITS, HOUR_MS, SIGNALS, TOUCHPOINTS

READS = {"sessionizer": HITS.name, "journeys": EVIDENCE.name, "persons": TOUCHPOINTS.name}
PASSED_ON = (
    EVIDENCE.name,
    TOUCHPOINTS.name,
    FACTS.name,
    *(name for name in TABLE_OF if name != SIGNALS.name),
)
"""Topics of which nobody needs what has been consumed: whoever tells signals may be behind with those."""
LOOK_SECONDS = 0.5
COMPACTED_MS = 25 * HOUR_MS
_log = logging.getLogger(__name__)


class SharedEraser:
    """One request at a time, for as long as the place is ours."""

    def __init__(self, settings: Settings, transport: Transport, control: Control, client: Client) -> None:
        self._settings = settings
        self._transport = transport
        self._control = control
        self._client = client
        self._writing: Transactions | None = None
        self._steps = count(wall_ms())  # none is taken for one of an earlier leader

    async def watch(self) -> None:
        """For ever: do what is asked for, while it is for us to do."""
        try:
            while True:
                if self.is_ours and self._control.known.requests:
                    try:
                        await self._do_all()
                    except (StoreError, KafkaError, PartitionLostError):  # the request is still there
                        _log.exception("an erasure could not be done, trying again")
                        await self._close()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._close()

    @property
    def is_ours(self) -> bool:
        """Do we have the partition whose owner does it?"""
        one = self._transport.owning.partitions.get(TP(self._name(HIT_ROWS.name), 0))
        return one is not None and one.is_ready

    async def _do_all(self) -> None:
        known = self._control.known
        await self._open()
        if not known.key:
            await self._write([(KEY, secrets.token_bytes(KEY_BYTES))])
        for name, request in sorted(known.requests.items(), key=lambda one: one[1].number):
            receipt = await self._do(request)
            await self._write(list(known.finished(name, msgspec.json.encode(receipt))))
        await self._close()

    async def _do(self, request: Request) -> Receipt:
        await self._pass(request, (HITS.name,))
        await self._pass(request, TABLE_OF)
        erasure, shared = await asyncio.to_thread(who, self._client, request)
        await self._keep_out(erasure)
        for hop in FORGETTING:
            await self._pass(request, (READS[hop],), erasure)
        await self._pass(request, TABLE_OF)
        found, _ = await asyncio.to_thread(who, self._client, request)
        erasure = replace(erasure, visitors=erasure.visitors | found.visitors)
        await self._keep_out(erasure)
        (removed,) = await self._pass(request, (HIT_ROWS.name,), erasure, partitions=1)
        deleted = await self._delete_consumed()
        return Receipt(
            number=request.number,
            site=request.site,
            person=digest(self._control.known.key, request.site, request.kind, request.id).hex(),
            asked_time=request.asked_ms,
            finished_time=wall_ms(),
            visitors=len(erasure.visitors),
            shared_visitors=len(shared),
            store_rows=removed,
            topic_records=deleted,
            state_changes={},
            remains=self._remains(wall_ms()),
        )

    def _remains(self, now_ms: int) -> list[str]:
        signals_ms = now_ms + SIGNALS.retention_ms + SEGMENT_MS
        hits_ms = now_ms + round(self._settings.hits_retention_hours * HOUR_MS) + SEGMENT_MS
        return [
            f"hits in the topic {self._name(HITS.name)} until {_text(hits_ms)} (hits_retention_hours): "
            "whoever replays them, they stay out",
            f"signals in the topic {self._name(SIGNALS.name)} until {_text(signals_ms)}",
            "what hops remembered, in journals until later entries replace them, "
            f"in topics that the broker compacts until {_text(now_ms + COMPACTED_MS)}",
            "hashes of hit ids, which name nobody, for `dedupe_hours`",
            "copies that you have made",
        ]

    async def _keep_out(self, erasure: Erasure) -> None:
        names = [("u", user) for user in erasure.users] + [("v", visitor) for visitor in erasure.visitors]
        await self._write(out(self._control.known.digest(erasure.site, *name) for name in names))

    async def _pass(
        self,
        request: Request,
        topics: Iterable[str],
        erasure: Erasure | None = None,
        *,
        partitions: int | None = None,
    ) -> list[dict[str, int]]:
        """Let what these topics hold now be consumed, and their readers forget the person; what they say of it."""
        ends: dict[str, list[int]] = {}
        for topic in topics:
            every = partitions or self._transport.partitions(topic)
            tps = {TP(self._name(topic), partition) for partition in range(every)}
            found = await self._transport.offsets.written(tps)
            ends[topic] = [found[tp] for tp in sorted(tps)]
        one = Step(request.number, next(self._steps), ends, erasure)
        await self._write([step(one)])
        places = [
            Place(one.number, one.at, topic, partition)
            for topic, of in ends.items()
            for partition in range(len(of))
        ]
        done = self._control.known.done
        await self._until(lambda: all(place in done for place in places))
        return [done[place] for place in places]

    async def _until(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            if not self.is_ours:
                raise PartitionLostError("another worker's now")
            await asyncio.sleep(LOOK_SECONDS / 5)

    async def _delete_consumed(self) -> dict[str, int]:
        """Records by topic."""
        offsets = self._transport.offsets
        tps = {
            TP(self._name(topic), partition)
            for topic in PASSED_ON
            for partition in range(self._transport.partitions(topic))
        }
        committed, begins = await offsets.committed(tps), await offsets.begins(tps)
        before = {tp: offset for tp, offset in committed.items() if offset > begins[tp]}
        await offsets.delete(before)
        deleted: dict[str, int] = {}
        for tp, offset in sorted(before.items()):
            bare = self._transport.cluster.names.bare(tp.topic)
            deleted[bare] = deleted.get(bare, 0) + offset - begins[tp]
        return deleted

    async def _open(self) -> None:
        """Shut earlier ones out, then know all that they wrote."""
        names, options = self._transport.cluster.names, self._transport.cluster.options
        self._writing = Transactions(
            TopicPartition(self._name(ERASURES), 0),
            transactional_id=names.transactional_id(ERASURES, 0),
            group=names.group,
            options=options,
            on_commit=lambda _: None,
            on_lost=lambda _: None,
        )
        await self._writing.start()
        await self._control.settle()

    async def _write(self, records: Sequence[Record]) -> None:
        """Known here, too, when it returns."""
        assert self._writing is not None, "not open"
        sent: Any = {(self._name(ERASURES), 0): list(records)}
        await self._writing.submit(sent, [], None)
        await self._writing.drain()
        await self._control.settle()

    async def _close(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing.close()

    def _name(self, topic: str) -> str:
        return self._transport.cluster.names.topic(topic)


def _text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
