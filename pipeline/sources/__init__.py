"""Readers of bounded inputs: files of hits, tables, access logs -> raw hits, one by one; and what sends them.

``read`` tells what a file is: ``lines`` of hits; a ``table``, by its ``mapping`` and ``times``; an ``access_log``,
which may be ``access_json``. ``replay`` sends hits to ``targets``, ``ordered`` by event time. ``tail`` sends a log as
it is written: it can ``follow`` a file that grows. ``errors``: one for all.
"""

from pipeline.sources.errors import SourceError
from pipeline.sources.lines import STDIN, check_readable, total_bytes
from pipeline.sources.read import FORMATS, Options, read_batches, read_hits, read_options

__all__ = [
    "FORMATS",
    "STDIN",
    "Options",
    "SourceError",
    "check_readable",
    "read_batches",
    "read_hits",
    "read_options",
    "total_bytes",
]
