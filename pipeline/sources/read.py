"""A bounded input -> its hits as raw JSON bytes, one by one or many together, in the file's order, lazily.

NDJSON lines pass through untouched; rows of tables and lines of access logs become hits. Nothing is judged
here: what cannot be turned into a hit is given out as it is. Blank lines are nothing. Errors:
:class:`SourceError` for files and options that cannot be used.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile
from typing import NamedTuple

from pipeline.core.packed import Packed, without_blank
from pipeline.sources.access_log import looks_like_access_log, read_access_log
from pipeline.sources.errors import SourceError
from pipeline.sources.lines import OnBytes, read_blocks
from pipeline.sources.mapping import Mapping, check_complete, nested, parse_mapping
from pipeline.sources.table import read_table

FORMATS = ("ndjson", "csv", "access-log")
_FOR_OTHERS = "--map, --set and --site are for csv and access-log: NDJSON hits name all their fields"
_BY_SUFFIX = {
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "json": "ndjson",
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
}


class Options(NamedTuple):
    """How to read. ``format``: one of FORMATS, or "" to tell each file by its name and first line."""

    format: str
    mapping: Mapping
    salt: str


def read_options(
    format: str = "",  # noqa: A002
    maps: Sequence[str] = (),
    sets: Sequence[str] = (),
    site: str = "",
    salt: str = "",
) -> Options:
    """Checked options. ``maps``, ``sets``: see mapping.py. ``site`` is short for ``site=NAME`` among the
    sets.

    ``salt`` goes into the hash that names the visitors of access logs.
    """
    if format and format not in FORMATS:
        raise SourceError(f"unknown format '{format}'; allowed: {', '.join(FORMATS)}")
    if format == "ndjson" and (maps or sets or site):
        raise SourceError(_FOR_OTHERS)
    mapping = parse_mapping(maps, (*sets, f"site={site}") if site else sets)
    if format == "access-log" and maps:
        raise SourceError("--map is for csv: an access log has its own fields; --set adds constants")
    if format == "csv":
        check_complete(mapping)
    return Options(format, mapping, salt)


def read_hits(
    path: str, options: Options, on_bytes: OnBytes | None = None, skipped: Counter[str] | None = None
) -> Iterator[bytes]:
    """The hits of one file (``-``: standard input), which is read as they are asked for.

    ``on_bytes(n)`` is called as n more bytes of the file were read. ``skipped`` counts, by reason, lines of
    access logs
    that are no page views.
    """
    return chain.from_iterable(read_batches(path, options, on_bytes, skipped))


def read_batches(
    path: str, options: Options, on_bytes: OnBytes | None = None, skipped: Counter[str] | None = None
) -> Iterator[Sequence[bytes]]:
    """The same, as many together as are there without waiting: lines are, others come one by one."""
    return chain.from_iterable(_opened(path, options, on_bytes, skipped))


def _opened(
    path: str, options: Options, on_bytes: OnBytes | None, skipped: Counter[str] | None
) -> Iterator[Iterator[Sequence[bytes]]]:
    """The file's hits, once its first line has told what it is: they then come from no frame of ours."""
    blocks = read_blocks(path, on_bytes)
    head = next((block for block in blocks if any(map(bytes.strip, block))), None)
    if head is None:
        return
    blocks = chain((head,), blocks)
    first = next(filter(bytes.strip, head))
    kind = options.format or _format_of(path, first, options)
    lines = dropwhile(lambda line: not line.strip(), chain.from_iterable(blocks))
    if kind == "csv":
        check_complete(options.mapping)
        yield zip(read_table(path, lines, options.mapping))
    elif kind == "access-log":
        constants = nested(options.mapping.constants)
        if "site" not in constants:
            raise SourceError("an access log does not name its site: add --site NAME (its host name)", path)
        yield zip(read_access_log(lines, constants, options.salt, Counter() if skipped is None else skipped))
    else:
        if options.mapping.columns or options.mapping.constants:
            raise SourceError(f"is read as NDJSON, and {_FOR_OTHERS}; --format says what a file is", path)
        yield (Packed(map(without_blank, block.runs)) for block in blocks)


def _format_of(path: str, first: bytes, options: Options) -> str:
    kind = _BY_SUFFIX.get(path.lower().removesuffix(".gz").rpartition(".")[2])
    if kind != "csv" and looks_like_access_log(first):  # nginx and Caddy write JSON, too
        return "access-log"
    return kind or ("csv" if options.mapping.columns else "ndjson")
