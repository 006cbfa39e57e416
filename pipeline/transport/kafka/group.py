"""The workers' group as the cluster knows it: who is in it, what nobody reads, and how far the hops are behind."""

import asyncio
import time
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from faust.types import TP

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import BrokerError, Consumer, client_options, start
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.offsets import Offsets
from pipeline.transport.kafka.topics import TopicAdmin
from schemas.topics import TOPICS

READERS = {topic.name: topic.readers for topic in TOPICS}
FETCH_BYTES = 8 * 1024**2
READ_MS = 200
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 0.5
SETTLED = frozenset({"Stable", "Empty", "Dead"})
_NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


class Group(NamedTuple):
    """``unread``: partitions that no worker has, by their bare topics. ``behind``: records, by hop; ``seconds``: the
    age of the oldest, of hops that are behind. ``deleted``: records that the broker has deleted unread.
    """

    workers: int
    is_settled: bool  # False: the partitions are being shared out
    unread: list[TP]
    behind: dict[str, int]
    seconds: dict[str, float]
    deleted: int


async def look(settings: Settings) -> Group:
    """At topics that exist. :class:`BrokerError`: the cluster does not answer, or does not let us look."""
    names = Names(settings.broker_prefix)
    async with TopicAdmin(settings) as admin:
        found = await admin.found()
    read = {names.topic(topic.name) for topic in TOPICS}
    tps = {TP(name, n) for name, has in found.items() if name in read for n in range(has.partitions)}
    options = client_options(settings)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            state, assigned = await _members(options, names.group)
            return await _progress(options, state, assigned, tps, names)
    except (KafkaError, TimeoutError) as error:
        why = f"no answer for {PATIENCE_SECONDS:.0f} s" if isinstance(error, TimeoutError) else error
        raise BrokerError(f"the group {names.group}: {why}") from error


async def _members(options: dict[str, Any], group: str) -> tuple[str, list[set[TP]]]:
    """State of the group, and what each of its members has."""
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        while True:
            try:
                ((described,),) = [answer.groups for answer in await admin.describe_consumer_groups([group])]
                if described[0]:
                    raise for_code(described[0])
                return described[2], [_assigned(member[4]) for member in described[5]]
            except _NOT_YET:  # nobody has asked for a group before, or its broker begins
                await asyncio.sleep(RETRY_SECONDS)
    finally:
        await admin.close()


def _assigned(said: bytes) -> set[TP]:
    if not said:  # they are being shared out
        return set()
    found: list[TopicPartition] = ConsumerProtocolMemberAssignment.decode(said).partitions()
    return {TP(*one) for one in found}


async def _progress(
    options: dict[str, Any], state: str, assigned: list[set[TP]], tps: set[TP], names: Names
) -> Group:
    offsets = Offsets(names.group, options)
    try:
        await offsets.start()
        ends, begins, committed = [await of(tps) for of in (offsets.ends, offsets.begins, offsets.committed)]
    finally:
        await offsets.stop()
    at = {tp: max(committed[tp], begins[tp]) for tp in tps}
    since = await _waiting_since({tp: at[tp] for tp in tps if at[tp] < ends[tp]}, ends, options)
    behind, seconds = dict[str, int](), dict[str, float]()
    for tp in tps:
        for hop in READERS[names.bare(tp.topic)]:
            behind[hop] = behind.get(hop, 0) + (ends[tp] - at[tp] if tp in since else 0)
            if tp in since:
                seconds[hop] = max(seconds.get(hop, 0.0), time.time() - since[tp] / 1000)
    deleted = sum(max(0, begins[tp] - committed[tp]) for tp in tps if committed[tp] >= 0)
    unread = sorted(TP(names.bare(tp.topic), tp.partition) for tp in tps.difference(*assigned))
    return Group(len(assigned), state in SETTLED, unread, behind, seconds, deleted)


async def _waiting_since(at: dict[TP, int], ends: dict[TP, int], options: dict[str, Any]) -> dict[TP, int]:
    """When the first record of each was written, ms. What holds only the ends of transactions, which are offsets, too,
    is left out: nothing waits there.
    """
    since: dict[TP, int] = {}
    if not at:
        return since
    consumer = Consumer(
        **options,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await start(consumer)
    try:
        tps = {TopicPartition(*tp): offset for tp, offset in at.items()}
        consumer.assign(list(tps))
        for one, offset in tps.items():
            consumer.seek(one, offset)
        waiting = set(tps)
        while waiting:
            for one, records in (await consumer.getmany(*waiting, timeout_ms=READ_MS)).items():
                since[TP(*one)] = records[0].timestamp
            waiting = {
                one for one in waiting if one not in since and await consumer.position(one) < ends[TP(*one)]
            }
    finally:
        await consumer.stop()
    return since
