"""The churn-risk signal: raised and cleared, each with its evidence. Leaves the persons, enters ``signals``."""

from typing import Literal

from msgspec import Struct


class Signal(Struct, gc=False):
    """``score``: the weight of the reason, 0 to 1. ``evidence``: JSON, what was seen.

    ``ordinal`` counts the person's steps of the reason from 0. The newest ``version`` of (site, time, person_id,
    reason, ordinal) holds; ``withdrawn`` takes it away.
    """

    site: str
    person_id: str
    reason: Literal["overdue", "fading", "unhappy", "abandoned", "support", "payment", "leaving", "regress"]
    score: float
    state: Literal["raised", "cleared"]
    time: int
    ordinal: int
    evidence: str
    withdrawn: bool
    version: int
