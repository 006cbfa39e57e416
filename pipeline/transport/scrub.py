"""Takes a person out of the file of the topics: records, changelogs, and what SQLite has not overwritten yet.

Offsets stay as they are: a record is emptied, not removed. Each row is written by itself, so that others can write in
between; at the end the file is written anew (``vacuum``), which holds the others up.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from pipeline.transport.log import BUSY_SECONDS
from pipeline.transport.packing import decode_changes, decode_payload, encode

_ROWS = 200  # looked at in one transaction
_CHECKPOINT_TRIES = 50
Clean = Callable[[str, int, int, list[bytes]], list[bytes]]
"""(topic, partition, offset of the first, records) -> the records without the person, as many."""


class Scrubbed(msgspec.Struct):
    """Records emptied or cleaned by topic, changes removed by store."""

    records: dict[str, int] = {}
    changes: dict[str, int] = {}


def scrub(path: Path, *, clean: Clean, is_persons: Callable[[str], bool]) -> Scrubbed:
    """``is_persons``: key of a state."""
    found = Scrubbed()
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("pragma secure_delete = on")
        found.records = dict(_scrub_topics(db, clean))
        found.changes = dict(_scrub_changelogs(db, is_persons))
        db.execute("vacuum")
        truncate_log(db)
    return found


def _rows(db: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """Row number, payload and ``columns`` of all rows there are now, read some at a time."""
    (last,) = db.execute(f"select max(rowid) from {table}").fetchone()
    row = -1
    while last is not None and row < last:
        sql = f"select rowid, payload, {columns} from {table} where rowid > ? and rowid <= ?"
        chunk = db.execute(f"{sql} order by rowid limit {_ROWS}", (row, last)).fetchall()
        if not chunk:
            return
        yield from chunk
        row = chunk[-1][0]


def _scrub_topics(db: sqlite3.Connection, clean: Clean) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row, blob, topic, partition, base in _rows(db, "batches", "topic, partition, base"):
        payload = decode_payload(blob)
        values = list(payload.values)
        cleaned = clean(topic, partition, base, values)
        changed = sum(new is not old for new, old in zip(cleaned, values, strict=True))
        if changed:
            payload.values = cleaned
            _write(db, "batches", row, encode(payload))
            counts[topic] += changed
    return counts


def _scrub_changelogs(db: sqlite3.Connection, is_persons: Callable[[str], bool]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row, blob, store in _rows(db, "changelogs", "store"):
        changes = decode_changes(blob)
        kept = [change for change in changes if not is_persons(change[0])]
        if len(kept) < len(changes):
            _write(db, "changelogs", row, encode(kept))
            counts[store] += len(changes) - len(kept)
    return counts


def _write(db: sqlite3.Connection, table: str, row: int, payload: bytes) -> None:
    """A row never changes but here, and is not written any more once it is gone."""
    db.execute(f"update {table} set payload = ? where rowid = ?", (payload, row))


def truncate_log(db: sqlite3.Connection) -> None:
    """The write-ahead log holds what was written before; it is emptied as soon as nobody reads in it."""
    for _ in range(_CHECKPOINT_TRIES):
        busy, *_ = db.execute("pragma wal_checkpoint(truncate)").fetchone()
        if not busy:
            return
        time.sleep(0.1)
