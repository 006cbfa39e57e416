"""A store belongs to the topics that it was filled from: rows, and blocks of them, are named by where their records
stand there. What comes from other topics under the same names would be taken for known, or overwrite what is there.
"""

from pipeline.store.client import Client
from pipeline.store.errors import StoreMismatchError

_HITS = "SELECT toInt64(sum(hits)) FROM ledger"


def hits_in_ledger(client: Client) -> int:
    """How many hits have an outcome in the store."""
    ((hits,),) = client.query(_HITS)
    return int(hits)


def of_others(client: Client, hits: int, topics: str) -> StoreMismatchError:
    """The store has so many hits, and of these topics none has been read yet."""
    return StoreMismatchError(
        f"the store at {client.place} has {hits:,} hits, but none of {topics} has been read yet: it belongs to other "
        "topics, whose rows would be overwritten. Name an empty database, or the topics that it was filled from"
    )
