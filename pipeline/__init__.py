"""What is decided (``core``, pure) and the shell around it. The way of the data:

    trackers -> collector -> [hits] -> sessionizer -> [evidence] -> journeys -> [facts] -> counters -> Prometheus
                                          |               |                        |
                                          v               v                        v
                   [hit_rows sessions session_moves dead_letters ledger transitions counters] -> store -> ClickHouse

``core``: pure decisions. ``transport``: topics on SQLite for Faust, the unit of work. ``store``: ClickHouse or chDB.
``collector``: HTTP in. ``sources``: files in. ``demo``: bundled and synthetic traffic. ``cli``: the commands.
"""
