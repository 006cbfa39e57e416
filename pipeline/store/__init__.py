"""The store: ClickHouse on a server, or the same engine in this process (chDB). One DDL and one client for both.

``place`` says which, ``client`` talks to it, ``errors`` are sorted by who must act. ``migrations`` make the tables, on
a ``cluster`` too. ``belonging``: always filled from the same topics. ``vocabulary`` tells it what settings and models
name: ``stages``, kinds of ``content``, ``goal_pages``.

``blocks`` of rows go in through the ``sink``. ``views`` are what readers may rely on, ``figures`` the main ones of
them; ``query_socket`` lets other processes ask. ``erase`` takes a person out. ``history``: hits for other models.
``disk``: what the embedded engine could not write; it reads from ``memory``, in its own
format ``native``, what goes in, and answers in ``pieces``.

``verify`` recomputes what the stream said, and compares. Its ``checks`` of sessions (``cuts`` parts them), counters and
ledger; ``verify_transitions`` (``transition_evidence``), ``verify_persons`` (links, credits), ``verify_signals``
(``signal_notes``, ``signal_steps``, ``signal_support``), ``verify_person_rows``. ``sql``: values and comparisons.

Every call blocks: from an event loop, use ``asyncio.to_thread``.
"""
