"""HTTP in: hits from sites, apps and servers, acknowledged once they are durable in the topic of hits.

    request -> body -> single hits -> stamped and keyed -> one publish per event-loop turn -> answer

``server`` is the side of HTTP. ``entrance``: where does a request come from (``addresses``), is it too much
(``rates``)? ``reading`` takes its ``body``, within the ``limits``. Our own form and the ``pixel`` bring hits; requests
of other trackers become hits in ``protocols``, by way of ``tracking``. The ``gate`` asks the registry of ``sites``
whose a hit is, and leaves as much of the person in it as ``privacy`` says; ``countries``, ``salts`` and ``tokens``
are for that. ``stamping`` makes records, the ``publisher`` commits them in groups, a ``spool`` has them while the
topic is away.

``door``: a collector with all that belongs to it, made ``from_settings``. ``process``: one of several on a port.
``tally``: what they have counted. The tracker that the server hands out is masir.js.
"""
