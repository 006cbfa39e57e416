"""Evidence: a hit that some stage model understands. Leaves the sessionizer, enters ``evidence``, keyed by the person.

A message holds the evidence of one unit of work for one partition, as columns (:class:`EvidenceBatch`).
"""

from msgspec import Struct

Kind = tuple[tuple[int, ...], str, str]  # rules, event, channel: all that the stage rules look at


class Evidence(Struct, frozen=True, array_like=True, gc=False, order=True):
    """One touchpoint of one person. Order (and so the fold over it) is by time, then by the rest: never by arrival.

    ``rules``: ids of the stage rules that its hit alone satisfies, ascending (``pipeline.core.models``). ``known``: its
    hit had a user, or it was passed on to one; what is not known belongs to the owner of its visitor.
    """

    time: int
    rules: tuple[int, ...]
    event: str
    url: str
    channel: str
    session_id: str
    known: bool = True


class EvidenceBatch(Struct, array_like=True, gc=False):
    """Evidence as columns, in order of arrival. The lists hold each value once.

    ``person kind url``: places in the lists, int32. ``time``: int64, ms. ``session``: 16 bytes each, zeros for none.
    ``known`` and ``sign``: int8, empty where all are 1; what is passed on from one person to another may be taken back
    (``sign`` -1). All little-endian. ``watermark``: of the source, ms, where it is one of hits. ``owners``: from the
    persons, key of a visitor, since when and who its owners are now, by time. ``epoch``: of the stage models that it
    was matched with; grows with each rebuild.
    """

    source: int  # partition of hits it came from; -1 for others
    persons: list[str] = []  # site, 0x1F, person_id
    kinds: list[Kind] = []
    urls: list[str] = []
    person: bytes = b""
    time: bytes = b""
    kind: bytes = b""
    url: bytes = b""
    session: bytes = b""
    known: bytes = b""
    sign: bytes = b""
    watermark: int | None = None
    owners: list[tuple[str, list[int], list[str]]] = []
    epoch: int = 0
