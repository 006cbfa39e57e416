"""What travels: one record per hop, in the order of the way.

hit -> session, evidence -> transition -> fact -> counter -> (ClickHouse, Prometheus)
     \\-> dead_letter, ledger                      signal: raised by the journeys, for the later hops

Every time is an integer: milliseconds since the epoch, UTC. Every amount of money is an integer: millionths of the
currency's unit ("micros"), so that sums do not depend on the order in which they are made.
This package imports nothing of ours.
"""
