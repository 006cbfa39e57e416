"""Who has which partition: of each topic about as many for each worker, and whoever has one keeps it if it can.

Keeping matters, since a partition that moves takes its state along. A worker says what it has when it joins; where two
say they have the same one, the later generation is believed. Topic by topic: a general balance over all topics could
give one worker every partition of ``hits``, where the work is.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from msgspec import Struct

VERSION = 0


class Claims(Struct, array_like=True):
    """``held``: (topic, partition) that a worker has, since ``generation`` at least."""

    generation: int = -1
    held: list[tuple[str, int]] = []


def assign(
    partitions: Mapping[str, int], members: Mapping[str, tuple[Iterable[str], Claims]]
) -> dict[str, dict[str, list[int]]]:
    """Member -> topic -> partitions. ``partitions``: of each topic; ``members``: topics read, and what is held."""
    given: dict[str, dict[str, list[int]]] = {member: {} for member in members}
    load = dict.fromkeys(members, 0)
    topics = {topic for topics, _ in members.values() for topic in topics if partitions.get(topic)}
    for topic in sorted(topics):
        readers = sorted(member for member, (read, _) in members.items() if topic in read)
        for partition, member in _assign_topic(topic, partitions[topic], readers, members, load).items():
            given[member].setdefault(topic, []).append(partition)
            load[member] += 1
    return given


def _assign_topic(
    topic: str,
    count: int,
    readers: list[str],
    members: Mapping[str, tuple[Iterable[str], Claims]],
    load: Mapping[str, int],
) -> dict[int, str]:
    share, rest = divmod(count, len(readers))
    room = dict.fromkeys(readers, share)
    owner: dict[int, str] = {}
    extra: list[tuple[int, str]] = []
    for member in sorted(readers, key=lambda name: (-members[name][1].generation, name)):
        for held_topic, partition in sorted(members[member][1].held):
            if held_topic != topic or partition in owner or partition >= count:
                continue
            if room[member]:
                room[member] -= 1
                owner[partition] = member
            else:
                extra.append((partition, member))
    # A few get one more than the share.
    for partition, member in sorted(extra, key=lambda one: load[one[1]]):
        if rest and room[member] == 0 and partition not in owner:
            rest, room[member] = rest - 1, -1
            owner[partition] = member
    for member in sorted((one for one in readers if room[one] >= 0), key=lambda one: load[one])[:rest]:
        room[member] += 1
    free = [member for member in readers for _ in range(room[member])]
    owner.update(zip((p for p in range(count) if p not in owner), free, strict=True))
    return owner


class Assignor(AbstractPartitionAssignor):
    """:func:`assign` for aiokafka. ``claims``: what this worker has now."""

    def __init__(self, claims: Callable[[], Claims]) -> None:
        self._claims = claims

    @property
    def name(self) -> str:
        return "masir-sticky"

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Done by one worker for all."""
        known = {name: (member.subscription, _claims_of(member)) for name, member in members.items()}
        topics = {topic for read, _ in known.values() for topic in read}
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        return {
            name: ConsumerProtocolMemberAssignment(VERSION, sorted(given.items()), b"")
            for name, given in assign(counts, known).items()
        }

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this worker says when it joins."""
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), msgspec.msgpack.encode(self._claims()))

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing to remember: what is held is asked when it is needed."""


def _claims_of(member: ConsumerProtocolMemberMetadata) -> Claims:
    try:
        return msgspec.msgpack.decode(member.user_data, type=Claims)
    except msgspec.MsgspecError:  # another kind of worker
        return Claims()
