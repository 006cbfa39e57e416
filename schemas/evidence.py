"""Evidence: a hit that some stage model understands. Leaves the sessionizer, enters ``evidence``, keyed by the person.

A message holds the evidence of one unit of work for one partition (:class:`EvidenceBatch`).
"""

from msgspec import Struct


class Evidence(Struct, frozen=True, array_like=True, gc=False, order=True):
    """One touchpoint of one person. Order (and so the fold over it) is by time, then by the rest: never by arrival.

    ``rules``: ids of the stage rules that its hit alone satisfies, ascending (``pipeline.core.models``).
    """

    time: int
    rules: tuple[int, ...]
    event: str
    url: str
    channel: str
    session_id: str
    score: float | None = None


class EvidenceBatch(Struct, array_like=True, gc=False):
    """``items``: (site, person_id, evidence), in the order of arrival."""

    source: int  # partition of hits it came from
    items: list[tuple[str, str, Evidence]]
