"""The watermark of one partition: no hit is expected any more before it.

It is the greatest event time seen less the out-of-orderness bound; None before the first hit; it never goes
back. Times are milliseconds; event time and wall time are kept apart. When the partition is idle and read
to its end, the watermark moves on with the wall clock, from where it stood at the last data: a recording of
last year, replayed and then idle, moves on second by second and does not jump to today. A wall clock that
is set back stops it until the clock has caught up.

It moves with every hit, not with every batch: what is late then depends on the log and not on how it was
read.
"""

from msgspec import Struct


class Watermark(Struct, array_like=True, gc=False):
    """``value`` is the watermark. ``anchor_*``: the watermark and the wall clock at the last data."""

    out_of_orderness_ms: int
    max_event_ms: int | None = None
    value: int | None = None
    anchor_value: int | None = None
    anchor_wall_ms: int = 0

    def on_event(self, event_ms: int) -> None:
        """A hit of this event time was read."""
        if self.max_event_ms is None or event_ms > self.max_event_ms:
            self.max_event_ms = event_ms
            self._advance(event_ms - self.out_of_orderness_ms)

    def on_batch_end(self, wall_ms: int) -> None:
        """All that was fetched has been read, at this time."""
        self.anchor_value = self.value
        self.anchor_wall_ms = wall_ms

    def on_idle(self, now_wall_ms: int) -> None:
        """The partition is read to its end, and nothing came."""
        if self.anchor_value is not None:
            self._advance(self.anchor_value + now_wall_ms - self.anchor_wall_ms)

    def _advance(self, to_ms: int) -> None:
        if self.value is None or to_ms > self.value:
            self.value = to_ms
