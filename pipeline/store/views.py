"""The views readers may rely on, and an export of them by which two stores are compared byte by byte.

Some columns tell of the processing and not of the customers: when a hit came in, from which partition and
offset it was read, how often a row was rewritten. They differ between two runs over the same hits, so the
export leaves them out.
"""

from contextlib import closing
from pathlib import Path
from typing import Final

from pipeline.store.client import Reader, rows

_SOURCE: Final = frozenset({"source_partition", "source_offset"})

PROCESS_COLUMNS: Final[dict[str, frozenset[str]]] = {
    "hits": _SOURCE | {"received_time"},
    "sessions": frozenset({"version"}),
    "transitions": frozenset(),
    "persons": frozenset(),
    "conversions": _SOURCE,
    "attribution": frozenset(),
    "signals": frozenset(),
    "survey_responses": _SOURCE,
    "emails": _SOURCE,
    "costs": _SOURCE,
    "counters": frozenset({"version"}),
    "dead_letters": frozenset({"received_time", "topic", "partition", "offset"}),
    "ledger": frozenset(),
}
"""View -> its columns that tell of the processing. Its keys are all the views of the contract."""

VIEWS: Final = tuple(PROCESS_COLUMNS)


def columns(reader: Reader, view: str) -> list[str]:
    """The view's columns, in order."""
    return [row["name"] for row in rows(reader, f"DESCRIBE TABLE {view}")]


def export_views(reader: Reader, directory: Path, views: tuple[str, ...] = VIEWS) -> list[Path]:
    """Write each view as ``<view>.tsv``: all rows sorted, process columns left out; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for view in views:
        kept = [f"`{name}`" for name in columns(reader, view) if name not in PROCESS_COLUMNS[view]]
        query = f"SELECT {', '.join(kept)} FROM {view} ORDER BY ALL"
        file = directory / f"{view}.tsv"
        with file.open("wb") as written_to, closing(reader.pieces(query, "TSVWithNames")) as answer:
            written_to.writelines(answer)
        written.append(file)
    return written
