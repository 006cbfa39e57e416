"""Erasing a person, step by step, beside the running hops of one data directory.

    who it is (asks the store) -> stays out from now on -> what is under way arrives -> each hop forgets, in the order
    of the data, in a unit of work -> topics and changelogs, the file written anew -> the store -> receipt

Each step can be taken again: after a crash the request is still there, and starts from the beginning. So the store,
which alone knows all ids of a person, comes last.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.embedded import APP, Embedded
from agents.hop import wall_ms
from agents.store import TABLE_OF
from pipeline.core.decode import Flaw, decode
from pipeline.core.homes import AWAY
from pipeline.core.ids import SEPARATOR, visitor_key
from pipeline.core.suppression import digest
from pipeline.settings import Settings, SettingsError
from pipeline.store.blocks import pack, read_blocks
from pipeline.store.client import Client
from pipeline.store.erase import sessions_of, tells_of, visitors_of
from pipeline.transport.scrub import Scrubbed, scrub
from schemas import topics
from schemas.erasure import Erasure, Request

POLL_SECONDS = 0.05
FORGETTING = ("sessionizer", "journeys", "persons", "persons")
"""The hops that know persons, in the order of the data. Persons tell each other of themselves: they are asked twice."""
_NAMING = ("site", "visitor_id", "user_id", "person_id", "session_id", "old_id", "raw", "users")


class Receipt(Struct, kw_only=True, omit_defaults=True):
    """What was done. ``person``: keyed hash of the id; ``found``: was anything known of it; ``visitors``: browsers that
    were this person's alone.

    ``topic_records`` and ``state_changes``: of the file of the topics; over Kafka nobody counts them.
    """

    number: int
    site: str
    person: str
    found: bool
    asked_time: int
    finished_time: int
    visitors: int
    shared_visitors: int
    store_rows: dict[str, int]
    topic_records: dict[str, int] | None = None
    state_changes: dict[str, int] | None = None
    remains: list[str]


def who(client: Client, request: Request) -> tuple[Erasure, set[str]]:
    """The person's ids, as the store knows them, and the visitors that others use too."""
    if request.kind == "v":
        return Erasure(request.number, request.site, visitors=frozenset({request.id})), set()
    own, shared = visitors_of(client, request.site, request.id)
    users, visitors = frozenset({request.id}), frozenset(own)
    return Erasure(request.number, request.site, users, visitors, frozenset(shared)), shared


class Eraser:
    """One request at a time."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded
        self._requests = embedded.requests

    async def do_all(self) -> None:
        """Everything that is asked for now."""
        self._embedded.keep_out()
        for request in self._requests.pending():
            receipt = await self._do(request)
            self._requests.finish(request.number, msgspec.json.encode(receipt))

    async def _do(self, request: Request) -> Receipt:
        embedded = self._embedded
        await embedded.until_consumed(topic for reads in embedded.reads.values() for topic in reads)
        erasure, shared = await asyncio.to_thread(who, embedded.client, request)
        self._keep_out(erasure)
        for hop in (hop for hop in FORGETTING if hop in embedded.reads):
            await embedded.until_consumed(embedded.reads[hop])
            await self._forget(hop, erasure, embedded.settings.partitions)
        await embedded.until_consumed(TABLE_OF)
        found, _ = await asyncio.to_thread(who, embedded.client, request)
        erasure = replace(erasure, visitors=erasure.visitors | found.visitors)
        self._keep_out(erasure)
        sessions = await asyncio.to_thread(sessions_of, embedded.client, erasure)
        cleaner = _Cleaner(erasure, sessions, embedded.transport.log.committed(APP))
        scrubbed: Scrubbed = await asyncio.to_thread(
            scrub,
            Path(embedded.database),
            clean=cleaner.clean,
            is_persons=cleaner.is_persons,
        )
        embedded.transport.log.tail.clear()
        await self._forget("store", erasure, 1)
        removed = embedded.erasures.removed
        return Receipt(
            number=request.number,
            site=request.site,
            person=digest(self._requests.key, request.site, request.kind, request.id).hex(),
            found=any((removed, scrubbed.records, scrubbed.changes)),
            asked_time=request.asked_ms,
            finished_time=wall_ms(),
            visitors=len(erasure.visitors),
            shared_visitors=len(shared),
            store_rows=removed,
            topic_records=scrubbed.records,
            state_changes=scrubbed.changes,
            remains=["hashes of hit ids, which name nobody, for `dedupe_hours`", "copies that you have made"],
        )

    def _keep_out(self, erasure: Erasure) -> None:
        names = [("u", user) for user in erasure.users] + [("v", visitor) for visitor in erasure.visitors]
        self._requests.suppress(digest(self._requests.key, erasure.site, *name) for name in names)
        self._embedded.keep_out()

    async def _forget(self, hop: str, erasure: Erasure, partitions: int) -> None:
        erasures = self._embedded.erasures
        erasures.tell(hop, erasure)
        await _until(lambda: erasures.partitions_done(hop) == partitions)
        erasures.untell(hop)


class _Cleaner:
    """Takes the person out of records; what a hop has not read yet holds nothing of them, but for hits."""

    def __init__(self, erasure: Erasure, sessions: set[str], committed: dict[tuple[str, int], int]) -> None:
        self._erasure = erasure
        self._sessions = sessions
        self._committed = committed
        keys = [visitor_key(erasure.site, one, None) for one in erasure.visitors]
        keys += [visitor_key(erasure.site, None, one) for one in erasure.users]
        keys += [f"{erasure.site}{SEPARATOR}{one}" for one in erasure.ids]
        self.is_persons = frozenset((*keys, *(AWAY + key for key in keys))).__contains__
        self._keys = [msgspec.msgpack.encode(key) for key in keys]
        self._in_rows = [one.encode("utf-8", "surrogatepass") for one in (*erasure.ids, *sessions)]
        # What JSON escapes, and how, is the sender's choice: what holds a backslash is read.
        self._in_json = [b"\\", *(one.encode("utf-8", "surrogatepass") for one in erasure.ids)]

    def clean(self, topic: str, partition: int, base: int, values: list[bytes]) -> list[bytes]:
        """See :data:`pipeline.transport.scrub.Clean`."""
        if topic == topics.HITS.name:
            return [
                b"" if _holds(value, self._in_json) and self._is_hit(value) else value for value in values
            ]
        if topic in TABLE_OF:
            table = TABLE_OF[topic]
            needles = self._in_json if topic == topics.DEAD_LETTERS.name else self._in_rows
            return [self._cleaned_rows(table, value) if _holds(value, needles) else value for value in values]
        read_until = self._committed.get((topic, partition), 0)
        return [
            b"" if base + at < read_until and _holds(value, self._keys) else value
            for at, value in enumerate(values)
        ]

    def _is_hit(self, value: bytes) -> bool:
        hit = decode(value)
        if isinstance(hit, Flaw):
            return bool(value) and tells_of(value, self._erasure)
        return hit.site == self._erasure.site and self._erasure.is_of(hit.visitor_id or "", hit.user_id or "")

    def _cleaned_rows(self, table: str, value: bytes) -> bytes:
        if not value:
            return value
        rows = read_blocks(table, [value])
        named = rows.select([name for name in _NAMING if name in rows.column_names])
        is_kept = [not self._is_row(row) for row in named.to_pylist()]
        return value if all(is_kept) else pack(rows.filter(is_kept))

    def _is_row(self, row: dict[str, object]) -> bool:
        if "raw" in row:
            raw = row["raw"]
            return isinstance(raw, bytes) and bool(raw) and tells_of(raw, self._erasure)
        if row.get("site") != self._erasure.site:
            return False
        if {row.get("session_id"), row.get("old_id")} & self._sessions:
            return True
        owners = row.get("users")
        if isinstance(owners, list) and self._erasure.users & {str(one) for one in owners}:
            return True
        ids = [str(row.get(name) or "") for name in ("visitor_id", "user_id", "person_id")]
        return self._erasure.is_of(*ids)


def _holds(value: bytes, needles: Iterable[bytes]) -> bool:
    return any(needle in value for needle in needles)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(POLL_SECONDS)


async def erase(settings: Settings) -> None:
    """Do what is asked for, in a data directory that nothing runs on."""
    embedded = Embedded(settings)
    try:
        if embedded.rebuilds.pending():  # evidence waits for it
            raise SettingsError("models: `masir rebuild` was asked for here and is not done; run it first")
        await embedded.start()
        await embedded.run_until(asyncio.ensure_future(Eraser(embedded).do_all()))
    finally:
        await embedded.stop()
        embedded.close()
