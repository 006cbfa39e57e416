"""The end of a bounded input, carried down the hops: a topic ends when all that could still write to it has ended.

Readers of some topics write to them again (persons tell each other). Such a circle of topics ends together, when all
before it has ended and nothing is left to be read in any of its topics.
"""

from collections.abc import Callable, Mapping

from schemas.topics import TOPICS


def upstream(topic: str) -> frozenset[str]:
    """The topics whose readers write to ``topic``."""
    writers = next(known.writer for known in TOPICS if known.name == topic).split(", ")
    return frozenset(known.name for known in TOPICS if any(reader in writers for reader in known.readers))


def circle(topic: str) -> frozenset[str]:
    """The topics, ``topic`` among them, that are upstream of each other; empty where there is no way back."""
    above = _all_upstream(topic)
    return frozenset(other for other in above if topic in _all_upstream(other))


def _all_upstream(topic: str) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    wave = upstream(topic)
    while wave - found:
        found |= wave
        wave = frozenset(above for one in wave for above in upstream(one))
    return found


class Ending:
    """Which partitions have been read to their very end. ``partitions``: how many each topic has."""

    def __init__(self, partitions: Mapping[str, int], input_has_ended: Callable[[], bool]) -> None:
        self._left = {(topic, partition) for topic, count in partitions.items() for partition in range(count)}
        self._circle = {topic: circle(topic) & partitions.keys() for topic in partitions}
        self._upstream = {
            topic: (upstream(topic) & partitions.keys()) - self._circle[topic] for topic in partitions
        }
        self._input_has_ended = input_has_ended

    def circle(self, topic: str) -> frozenset[str]:
        """Nothing may be left to be read in these topics when ``topic`` ends; empty for most."""
        return self._circle.get(topic, frozenset())

    def may_end(self, topic: str, partition: int) -> bool:
        """Nothing more can come to this partition, if it and its circle are read to their end now, and it has not been
        told so yet.
        """
        if (topic, partition) not in self._left or not self._input_has_ended():
            return False
        ring = self._circle[topic]
        before = self._upstream[topic].union(*(self._upstream[other] for other in ring)) - ring
        return not any(left in before for left, _ in self._left)

    def ended(self, topic: str, partition: int) -> None:
        """The partition's final batch has been dealt with."""
        self._left.discard((topic, partition))

    @property
    def is_over(self) -> bool:
        """Every partition of every topic has ended."""
        return not self._left
