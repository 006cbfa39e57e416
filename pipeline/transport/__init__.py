"""How records travel, on SQLite; the package ``kafka`` does the same on Kafka.

``log`` is the file: topics, offsets, changelogs; ``packing`` is what its rows hold, and the ``tail`` what of it this
process need not read back. Faust reads it by the ``driver``: a ``batch`` of records is one
``message``. ``publish`` is the collector's way in, ``traced_log`` its log where hits are followed.

A ``unit`` of work commits outputs, offset and what a hop remembers: by key in ``state`` (its ``rows`` in memory, or on
a ``shelf``), or as entries of a ``journal``. ``ending`` carries the end of files from hop to hop.

``erasures`` and ``rebuilds``: what other processes ask for. ``scrub`` takes a person out of the file.
"""
