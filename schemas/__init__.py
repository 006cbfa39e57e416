"""What travels, a module for each kind of record; ``topics`` says on which topic, from whom to whom.

    ``hit`` -> ``session``, ``evidence``, ``touchpoint``, ``outcome`` (dead letters, ledger)
    ``evidence`` -> ``transition``
    ``touchpoint`` -> ``signal``, ``person`` (credits, links)
    all of these -> facts -> rows of the ``counter``

``rows``: the tables of ClickHouse as Arrow schemas. ``erasure`` and ``rebuild``: what a running Masir is asked.

Every time is an integer: milliseconds since the epoch, UTC. Every amount of money is an integer: millionths of the
currency's unit ("micros"), so that sums do not depend on the order in which they are made.
This package imports nothing of ours.
"""
