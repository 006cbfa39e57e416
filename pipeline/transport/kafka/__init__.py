"""Topics on Apache Kafka, with the same units of work as on SQLite.

``driver`` is Faust's way in; its ``consumer``, over a ``thread`` and ``records``, hands out one batch of a partition at
a time. ``partition`` is what a worker has of one input partition, ``owning`` how it comes and goes, ``assignor`` who
gets which. A ``unit`` of work becomes so in ``transactions``, exactly once; what a hop remembers is its ``memory``,
which ``restore`` reads back. ``names``, ``connection``, ``offsets`` and ``topics`` lead to the cluster; ``group`` is
how its workers are seen from outside; ``publish`` is the collector's way in.

Two topics are ``followed`` by every process from their beginning: that of the ``salts``, and that of what workers are
asked (``control``); the latter tells of erasures (``known``) and of stage models (``known_models``).
"""
