"""Names in the cluster, which others may use too: everything of ours begins with the setting ``broker_prefix``.

Agents know topics by their bare names (``schemas.topics``). What a hop remembers of its input is in topics of as many
partitions (:data:`STORES`). There is one consumer group, and one transactional id per input partition, for ever the
same: by it a new owner of the partition shuts the old one out.
"""

from typing import NamedTuple

from schemas.topics import EVIDENCE, FACTS, HITS, TOPICS, TOUCHPOINTS, Topic

ERASURES = "erasures"  # what workers are asked: see the modules ``known`` and ``known_models``; one partition
SALTS = "salts"  # of visitors without ids; one partition
SINK = "store"  # the hop that writes to no topic, and so needs no transaction
INPUTS = {topic.name: topic for topic in TOPICS if SINK not in topic.readers}


class Store(NamedTuple):
    """What the reader of ``topic`` remembers under ``name``: as numbered entries, or by key."""

    name: str
    topic: Topic
    is_journal: bool

    @property
    def topic_name(self) -> str:
        """The bare name of the topic that it is kept in."""
        return f"{self.name}_{'journal' if self.is_journal else 'state'}"


STORES = (
    Store("sessionizer", HITS, is_journal=True),
    Store("hit_ids", HITS, is_journal=True),
    Store("journeys", EVIDENCE, is_journal=True),
    Store("persons", TOUCHPOINTS, is_journal=False),
    Store("silent_journeys", EVIDENCE, is_journal=False),
    Store("counters", FACTS, is_journal=False),
)


class Names(NamedTuple):
    """``prefix``: the setting ``broker_prefix``. ``role``: of the consumer group."""

    prefix: str
    role: str = "workers"

    def topic(self, name: str) -> str:
        """The name in the cluster of a topic of ours."""
        return f"{self.prefix}.{name}"

    def bare(self, name: str) -> str:
        """Our name of a topic in the cluster."""
        return name.removeprefix(f"{self.prefix}.")

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.prefix}.{self.role}"

    def transactional_id(self, topic: str, partition: int) -> str:
        """Of the one producer that may write for this input partition. ``topic``: bare."""
        return f"{self.prefix}.{topic}.{partition}"
