"""Names in the cluster, which others may use too: everything of ours begins with the setting ``broker_prefix``.

Agents know topics by their bare names (``schemas.topics``). An input topic's hop remembers in the topic ``<hop>_state``
of as many partitions. There is one consumer group, and one transactional id per input partition, for ever the same: by
it a new owner of the partition shuts the old one out.
"""

from typing import NamedTuple

from schemas.topics import TOPICS, Topic

SINK = "store"  # the hop that writes to no topic, and so needs no transaction
INPUTS: dict[str, Topic] = {topic.name: topic for topic in TOPICS if SINK not in topic.readers}


def state_topic(topic: Topic) -> str:
    """Bare name of the topic that keeps what the reader of ``topic`` remembers."""
    (reader,) = topic.readers
    return f"{reader}_state"


class Names(NamedTuple):
    """``prefix``: the setting ``broker_prefix``."""

    prefix: str

    def topic(self, name: str) -> str:
        """The name in the cluster of a topic of ours."""
        return f"{self.prefix}.{name}"

    def bare(self, name: str) -> str:
        """Our name of a topic in the cluster."""
        return name.removeprefix(f"{self.prefix}.")

    @property
    def group(self) -> str:
        """The consumer group of the workers."""
        return f"{self.prefix}.workers"

    def transactional_id(self, topic: str, partition: int) -> str:
        """Of the one producer that may write for this input partition. ``topic``: bare."""
        return f"{self.prefix}.{topic}.{partition}"
