"""Topics on Apache Kafka, with the same units of work as on SQLite.

``driver`` gives Faust's agents one batch of a partition at a time; ``partition`` is what a worker has of one input
partition; ``transactions`` makes units of work so, exactly once; ``state`` is what a hop remembers, ``restore`` reads
it back; ``assignor`` says who has which partition; ``names``, ``connection`` and ``topics`` lead to the cluster;
``publish`` is the collector's way in.
"""
