"""Rows that tell of persons: credits of conversions, links of ids. From the persons to the store."""

from msgspec import Struct


class AttributionRow(Struct, gc=False):
    """One touch of one conversion. Named by site, person, time, event, order_id, copy and touch_number.

    The newest ``version`` holds; ``withdrawn`` takes it away. ``*_ppm``: credits in millionths, which add up to
    1,000,000 over the touches; ``*_micros``: shares of the conversion's money, which add up to it.
    """

    site: str
    person_id: str
    time: int
    event: str
    order_id: str
    copy: int  # counts equal conversions from 0
    touch_number: int  # from 1
    touches: int
    touch_time: int
    session_id: str
    channel: str
    currency: str
    first_touch_ppm: int
    last_touch_ppm: int
    last_non_direct_ppm: int
    linear_ppm: int
    position_based_ppm: int
    time_decay_ppm: int
    first_touch_micros: int
    last_touch_micros: int
    last_non_direct_micros: int
    linear_micros: int
    position_based_micros: int
    time_decay_micros: int
    withdrawn: bool
    version: int


class LinkRow(Struct, gc=False):
    """The owners of a visitor, by time; none where all were taken away. The newest ``version`` of (site, visitor_id)
    holds.

    From its ``since`` on (and before, if it is the first) a hit of the visitor without a user belongs to the owner.
    """

    site: str
    visitor_id: str
    users: list[str]
    since: list[int]
    version: int
