"""What an agent is handed: the records of one fetch of one partition, or a tick when there is nothing to fetch."""

from collections.abc import Callable, Sequence

from msgspec import Struct


class Batch(Struct, eq=False):
    """``values``, ``timestamps`` (ms, when appended) and ``offsets`` go together; all empty in a tick.

    ``next_offset``: where the partition is read on once this batch is committed. ``is_caught_up``: the partition was
    read to its end. ``is_final``: the input is bounded and ends here. ``on_release``: tells the consumer, which hands
    out one batch of a partition at a time.
    """

    topic: str
    partition: int
    values: Sequence[bytes]
    timestamps: Sequence[int]
    offsets: Sequence[int]
    next_offset: int
    is_caught_up: bool
    is_final: bool
    on_release: Callable[["Batch"], None]

    @property
    def is_tick(self) -> bool:
        """There are no records: only time has passed."""
        return not self.values

    def check(self) -> None:
        """Raises when the partition is not this process's any more, where that can be."""

    def release(self) -> None:
        """The agent is done with it; the next one of this partition may come."""
        self.on_release(self)
