"""A store of one's own for each test, as the store's tests have it."""

from store.conftest import client, data, sink

__all__ = ["client", "data", "sink"]
