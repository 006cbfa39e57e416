"""What is computed from stored rows: attribution over paths, lifetime value, funnel against journey, the map.

``attribution`` of ``paths``, by ``markov`` and ``shapley`` too; ``lifetime`` value of ``customers``; ``funnel``; the
package ``map``. ``scope``: of which site and time. ``tables``: for people to read.
Everything here reads the store's views through a :class:`pipeline.store.client.Reader` and writes nothing.
"""
