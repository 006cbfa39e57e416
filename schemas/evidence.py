"""Evidence: a hit that some stage model understands. Leaves the sessionizer, enters ``evidence``, keyed by the person.

A message holds the evidence of one unit of work for one partition, as columns (:class:`EvidenceBatch`).
"""

from msgspec import Struct

Kind = tuple[tuple[int, ...], str, str]  # rules, event, channel: all that the stage rules look at


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


class EvidenceBatch(Struct, array_like=True, gc=False):
    """Evidence as columns, in order of arrival. The lists hold each value once.

    ``person kind url``: places in the lists, int32. ``time``: int64, ms. ``session``: 16 bytes each, zeros for none.
    All little-endian.
    """

    source: int  # partition of hits it came from
    persons: list[str]  # site, 0x1F, person_id
    kinds: list[Kind]
    urls: list[str]
    person: bytes
    time: bytes
    kind: bytes
    url: bytes
    session: bytes
