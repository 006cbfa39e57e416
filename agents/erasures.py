"""What the hops know of erasures: who is to be forgotten now, and who stays out. One for a process.

A hop asks at each batch or tick, forgets the person in that unit of work, and says so when it is committed. The order
of the hops, and what happens to files, is the affair of ``agents.erasing``.
"""

from collections.abc import Sequence

from pipeline.core.suppression import Suppressed
from schemas.erasure import Erasure


class Erasures:
    """``suppressed``: see there; empty unless somebody was erased."""

    def __init__(self) -> None:
        self.suppressed = Suppressed()
        self.removed: dict[str, int] = {}  # table -> rows, as the store's hop tells
        self._told: dict[str, Erasure] = {}  # by hop: one at a time
        self._done: dict[str, set[int]] = {}

    def tell(self, hop: str, erasure: Erasure) -> None:
        """The hop is to forget the person in each of its partitions."""
        self._done[hop] = set()
        self._told[hop] = erasure

    def untell(self, hop: str) -> None:
        """It has done so."""
        self._told.pop(hop, None)

    def due(self, hop: str, partition: int) -> Erasure | None:
        """Whom the hop has not forgotten yet in this partition."""
        erasure = self._told.get(hop)
        return None if erasure is None or partition in self._done[hop] else erasure

    def done(self, hop: str, partition: int) -> None:
        """The unit of work is committed."""
        self._done[hop].add(partition)

    def partitions_done(self, hop: str) -> int:
        """In how many partitions the hop has forgotten the person."""
        return len(self._done[hop])

    def kept(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Records of ``hits``, those of erased persons emptied."""
        return self.suppressed.emptied(values) if self.suppressed else values
