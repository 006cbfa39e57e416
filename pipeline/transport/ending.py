"""The end of a bounded input, carried down the hops: a topic ends when all that could still write to it has ended."""

from collections.abc import Callable, Mapping

from schemas.topics import TOPICS


def upstream(topic: str) -> frozenset[str]:
    """The topics whose readers write to ``topic``."""
    writers = next(known.writer for known in TOPICS if known.name == topic).split(", ")
    return frozenset(known.name for known in TOPICS if any(reader in writers for reader in known.readers))


class Ending:
    """Which partitions have been read to their very end. ``partitions``: how many each topic has."""

    def __init__(self, partitions: Mapping[str, int], input_has_ended: Callable[[], bool]) -> None:
        self._left = {(topic, partition) for topic, count in partitions.items() for partition in range(count)}
        self._upstream = {topic: upstream(topic) & partitions.keys() for topic in partitions}
        self._input_has_ended = input_has_ended

    def may_end(self, topic: str, partition: int) -> bool:
        """Nothing more can come to this partition, if it is read to its end now, and it has not been told so yet."""
        if (topic, partition) not in self._left or not self._input_has_ended():
            return False
        before = self._upstream[topic]
        return not any(left in before for left, _ in self._left)

    def ended(self, topic: str, partition: int) -> None:
        """The partition's final batch has been dealt with."""
        self._left.discard((topic, partition))

    @property
    def is_over(self) -> bool:
        """Every partition of every topic has ended."""
        return not self._left
