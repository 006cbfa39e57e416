"""The map: which topic carries what, who writes it, who reads it, and how long it is kept.

Rows on their way to the store travel as Arrow record batches with the columns of ``schemas.rows``: what one unit of
work said, as one value. Keys: ``site`` and the id are joined by 0x1F. The partition of a key is CRC-32 of it modulo the
number of partitions (librdkafka calls this partitioner "consistent"), the same in both forms of Masir.
"""

from typing import NamedTuple

HOUR_MS = 3_600_000


class Topic(NamedTuple):
    """``retention_ms`` counts from when a record was written; consumed records older than that are deleted."""

    name: str
    key: str
    value: str
    writer: str
    readers: tuple[str, ...]
    retention_ms: int


HITS = Topic("hits", "site, visitor", "JSON Hit", "collector", ("sessionizer",), 24 * HOUR_MS)
HIT_ROWS = Topic("hit_rows", "as hits", "Arrow hit rows", "sessionizer", ("store",), HOUR_MS)
SESSIONS = Topic("sessions", "as hits", "Arrow Session rows", "sessionizer", ("store",), 24 * HOUR_MS)
MOVES = Topic("session_moves", "as hits", "Arrow SessionMove rows", "sessionizer", ("store",), HOUR_MS)
EVIDENCE = Topic(
    "evidence",
    "site, person",
    "msgpack EvidenceBatch",
    "sessionizer, journeys, persons",
    ("journeys",),
    HOUR_MS,
)
TRANSITIONS = Topic(
    "transitions", "as evidence", "Arrow Transition rows", "journeys", ("store",), 24 * HOUR_MS
)
TOUCHPOINTS = Topic(
    "touchpoints",
    "site, person",
    "msgpack Touchpoints",
    "sessionizer, journeys, persons",
    ("persons",),
    HOUR_MS,
)
SIGNALS = Topic("signals", "as touchpoints", "Arrow Signal rows", "persons", ("store",), 24 * HOUR_MS)
ATTRIBUTION = Topic(
    "attribution", "as touchpoints", "Arrow AttributionRow rows", "persons", ("store",), HOUR_MS
)
LINKS = Topic("links", "as touchpoints", "Arrow LinkRow rows", "persons", ("store",), HOUR_MS)
FACTS = Topic("facts", "site", "msgpack Facts", "sessionizer, journeys, persons", ("counters",), HOUR_MS)
COUNTERS = Topic("counters", "as facts", "Arrow CounterRow rows", "counters", ("store",), 24 * HOUR_MS)
DEAD_LETTERS = Topic(
    "dead_letters", "as hits", "Arrow DeadLetter rows", "sessionizer", ("store",), 7 * 24 * HOUR_MS
)
LEDGER = Topic("ledger", "as hits", "Arrow LedgerRow rows", "sessionizer", ("store",), HOUR_MS)

TOPICS = (
    HITS, HIT_ROWS, SESSIONS, MOVES, EVIDENCE, TRANSITIONS, TOUCHPOINTS, SIGNALS, ATTRIBUTION, LINKS, FACTS, COUNTERS,
    DEAD_LETTERS, LEDGER,
)  # fmt: skip
