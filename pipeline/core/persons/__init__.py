"""Persons: whose a touchpoint is, whether somebody is about to leave, and which touches led to a conversion.

The hop is ``people``. In the sessionizer a ``teller`` finds what is ``notable``; here it is gathered by id (``news``),
and a ``person`` takes it in as visits and notes (``items``). ``identity``: whose they are. ``fold``: what follows from
all of them, unless they are ``quiet``: ``signals`` by the ``signal_rules``, and ``attribution``. ``emails`` count once
each. ``sending``: what partitions tell each other.
"""
