"""What is decided (``core``, pure) and the shell around it. The way of the data, topics in brackets:

    trackers -> collector -> [hits] -> sessionizer -> [evidence] -> journeys
    sessionizer, journeys -> [touchpoints] -> persons, who tell the journeys whose a visitor's evidence is
    sessionizer, journeys, persons -> [facts] -> counters -> Prometheus
    all of them -> [hit_rows, sessions, transitions, signals, counters, ...] -> store -> ClickHouse

``core``: pure decisions. ``transport``: topics on SQLite or Kafka, the unit of work. ``store``: ClickHouse or chDB.
``collector``: HTTP in. ``sources``: files in. ``cli``: the commands. ``live``: the page. ``journey``: what is
computed from stored rows. ``watching``: messages to others. ``demo``: bundled and synthetic traffic.

``settings`` are read once, ``choices`` tell of wrong ones, ``deciding`` which decide figures; ``model_files`` reads
stage models, ``zones`` time zones. ``metrics`` are Prometheus's, with ``person_metrics``, ``segment_metrics`` and
``disk_metrics``; ``logs`` and ``traces`` tell of a process and of single hits. ``secret_files`` are nobody else's.
"""
