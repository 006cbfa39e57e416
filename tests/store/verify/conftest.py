"""What ``verify`` finds in rows, all in one store."""

from tests.emptied_store import client, sink, store

__all__ = ["client", "sink", "store"]
