"""What touches the topics: thin agents, what starts them, what goes on beside them. The rules are in the core.

Hops, in the order of the way: ``sessionizer``, ``journeys``, ``persons``, ``counters``, ``store``. ``hop`` says what
each is given, ``hops`` makes them of the settings, ``app`` hands them batches through Faust.

In one process: ``embedded`` has the topics, the store and all hops. ``live`` runs it (``masir run``), with
``collectors`` and ``upkeep`` beside it; ``bounded`` feeds it files (``masir process``). ``gate`` lets a hop wait.

Over Kafka: a ``worker`` has hops, ``collect`` is the collector; ``starting`` is how either starts and stops. Partitions
come and go, and hops with them (``owned``); ``beside`` is what else a worker does.

What is asked of a running Masir: ``asked`` looks for it. ``erasing`` forgets a person; ``erasures``: what hops know of
that. ``rebuilding`` makes a ``history`` anew. Over Kafka one worker is ``leading``, and the same are
``shared_erasing``, ``shared_erasures``, ``shared_rebuilding``, ``shared_models``.

For others: ``webhook`` tells signals; ``tracing`` and ``shared_tracing`` follow hits.
"""
