"""What is computed from stored rows: attribution over paths, lifetime value, funnel against journey, the map.

Everything here reads the store's views through a :class:`pipeline.store.client.Reader` and writes nothing.
"""
