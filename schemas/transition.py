"""The transition: a person enters or changes a stage of a model. Leaves the journeys, enters ``transitions``."""

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """``enter``: a journey begins; ``loop``: by another's referral; ``return``: after a lapse. ``advance``,
    ``regress``: on, back. ``lapse``: silence ends it.
    """

    ENTER = "enter"
    RETURN = "return"
    ADVANCE = "advance"
    REGRESS = "regress"
    LAPSE = "lapse"
    LOOP = "loop"


class Transition(Struct, gc=False):
    """One step of one person in one model. ``ordinal`` counts the steps of the person in the model from 0.

    The newest ``version`` of (site, model, person_id, time, ordinal) holds; ``withdrawn`` takes it away.
    ``dwell_ms``: time spent in ``from_stage``; 0 where there is none. cause_*: the evidence that moved the person.
    """

    site: str
    person_id: str
    model: str
    from_stage: str  # "" on enter, return, loop
    to_stage: str  # "" on lapse
    kind: Kind
    time: int
    ordinal: int
    dwell_ms: int
    cause_event: str
    cause_url: str
    cause_channel: str
    cause_session_id: str
    withdrawn: bool
    version: int


class TransitionFact(Struct, frozen=True, array_like=True, gc=False):
    """What the counters need to know of transitions of one kind: how many, less those that are taken back."""

    site: str
    model: str
    from_stage: str  # "" on enter, return, loop
    to_stage: str  # "" on lapse
    count: int = 1
