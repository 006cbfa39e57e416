"""What the cluster knows of offsets: where partitions begin and end, and where the group goes on.

Over connections of its own: a broker answers the requests of one connection in order, so behind a fetch that waits for
records they would wait with it.
"""

import logging
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import GroupLoadInProgressError, KafkaError
from faust.types import TP

from pipeline.transport.kafka.connection import Consumer

REQUEST_MS = 10_000  # aiokafka's 40 seconds are long where a partition waits to be read
_log = logging.getLogger(__name__)


class Offsets:
    """``options``: of aiokafka's clients. Ends are those for a reader of what is committed."""

    def __init__(self, group: str, options: dict[str, Any]) -> None:
        self._group = group
        self._options = options | {"request_timeout_ms": REQUEST_MS}
        self._consumer: Any = None
        self._uncommitted: Any = None
        self._admin: Any = None

    async def start(self) -> None:
        """Connect."""
        self._admin = AIOKafkaAdminClient(**self._options)
        self._consumer = Consumer(**self._options, isolation_level="read_committed")
        self._uncommitted = Consumer(**self._options)
        await self._admin.start()
        await self._consumer.start()
        await self._uncommitted.start()

    async def stop(self) -> None:
        """Close the connections."""
        if self._consumer is not None:
            await self._consumer.stop()
            await self._uncommitted.stop()
            await self._admin.close()

    async def ends(self, tps: set[TP]) -> dict[TP, int]:
        """The offset behind the last committed record of each."""
        found = await self._consumer.end_offsets(_plain(tps))
        return {TP(*tp): offset for tp, offset in found.items()}

    async def written(self, tps: set[TP]) -> dict[TP, int]:
        """The offset behind the last record of each, committed or not: just after a commit it may not show yet."""
        found = await self._uncommitted.end_offsets(_plain(tps))
        return {TP(*tp): offset for tp, offset in found.items()}

    async def begins(self, tps: set[TP]) -> dict[TP, int]:
        """The oldest offset that each still has."""
        found = await self._consumer.beginning_offsets(_plain(tps))
        return {TP(*tp): offset for tp, offset in found.items()}

    async def committed(self, tps: set[TP]) -> dict[TP, int]:
        """Where the group goes on with each; -1: it has not begun."""
        found = await committed_by(self._admin, self._group, _plain(tps))
        return {TP(*tp): offset for tp, offset in found.items()}

    async def delete(self, before: dict[TP, int]) -> None:
        """Of each partition the records before this offset. What does not work out now does with the next."""
        wanted = {TopicPartition(*tp): RecordsToDelete(before_offset=offset) for tp, offset in before.items()}
        try:
            await self._admin.delete_records(wanted)
        except KafkaError as error:
            _log.warning("records that are needed no more could not be deleted: %r", error)


async def committed_by(admin: Any, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the group goes on with each; -1: it has not begun. :class:`KafkaError`: that is not known now."""
    found = await admin.list_consumer_group_offsets(group, partitions=partitions)
    if len(found) < len(partitions):  # aiokafka does not look at the error of the whole answer
        raise GroupLoadInProgressError(f"the broker does not know the offsets of {group} yet")
    return {one: found[one].offset for one in partitions}


def _plain(tps: set[TP]) -> list[TopicPartition]:
    return [TopicPartition(*tp) for tp in tps]
