"""Readers of bounded inputs: files of hits, tables, access logs -> raw hits, one by one."""

from pipeline.sources.errors import SourceError
from pipeline.sources.lines import STDIN, total_bytes
from pipeline.sources.read import FORMATS, Options, read_hits, read_options

__all__ = ["FORMATS", "STDIN", "Options", "SourceError", "read_hits", "read_options", "total_bytes"]
