"""The churn-risk signal: raised and cleared, each with its evidence. Leaves the journeys, enters ``signals``."""

from typing import Literal

from msgspec import Struct


class Signal(Struct, gc=False):
    """``score``: the weight of the reason, 0 to 1. ``evidence``: JSON, what was seen."""

    site: str
    person_id: str
    reason: Literal["overdue", "fading", "unhappy", "abandoned", "support", "payment", "leaving", "regress"]
    score: float
    state: Literal["raised", "cleared"]
    time: int
    evidence: str
    version: int
