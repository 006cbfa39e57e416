"""Takes a person out of the file of the topics: records, changelogs, and what SQLite has not overwritten yet.

Offsets stay as they are: a record is emptied, not removed. Each row is written by itself, so that others can write in
between; at the end the file is written anew (``vacuum``), which holds the others up.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from pipeline.transport.log import BUSY_SECONDS, Change, decode_changes, decode_payload, encode

_ROWS = 200  # looked at in one transaction
_CHECKPOINT_TRIES = 50
Clean = Callable[[str, int, int, list[bytes]], list[bytes]]
"""(topic, partition, offset of the first, records) -> the records without the person, as many."""


class Scrubbed(msgspec.Struct):
    """Records emptied or cleaned by topic, changes removed by store."""

    records: dict[str, int] = {}
    changes: dict[str, int] = {}


def scrub(
    path: Path, *, needles: Collection[bytes], clean: Clean, is_persons: Callable[[str], bool]
) -> Scrubbed:
    """``needles``: bytes of which one stands in whatever may tell of the person. ``is_persons``: key of a state."""
    found = Scrubbed()
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("pragma secure_delete = on")
        found.records = dict(_scrub_topics(db, needles, clean))
        found.changes = dict(_scrub_changelogs(db, needles, is_persons))
        db.execute("vacuum")
        truncate_log(db)
    return found


def _chunks(db: sqlite3.Connection, table: str) -> Iterator[list[tuple[int, bytes]]]:
    """(row, payload) of all rows there are now, some at a time."""
    (last,) = db.execute(f"select max(rowid) from {table}").fetchone()
    row = -1
    while last is not None and row < last:
        sql = (
            f"select rowid, payload from {table} where rowid > ? and rowid <= ? order by rowid limit {_ROWS}"
        )
        chunk = db.execute(sql, (row, last)).fetchall()
        if not chunk:
            return
        yield chunk
        row = chunk[-1][0]


def _scrub_topics(db: sqlite3.Connection, needles: Collection[bytes], clean: Clean) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in _chunks(db, "batches"):
        for row, blob in chunk:
            payload = decode_payload(blob)
            if not _is_suspect(payload.values, needles):
                continue
            topic, partition, base = _place(db, row)
            cleaned = clean(topic, partition, base, payload.values)
            changed = {at for at, value in enumerate(payload.values) if cleaned[at] is not value}
            if changed:
                payload.values = cleaned
                if payload.keys:
                    payload.keys = [b"" if at in changed else key for at, key in enumerate(payload.keys)]
                _write(db, "batches", row, encode(payload))
                counts[topic] += len(changed)
    return counts


def _place(db: sqlite3.Connection, row: int) -> tuple[str, int, int]:
    """Topic, partition, first offset; none of them where retention was faster."""
    found = db.execute("select topic, partition, base from batches where rowid = ?", (row,)).fetchone()
    return found or ("", 0, 0)


def _scrub_changelogs(
    db: sqlite3.Connection, needles: Collection[bytes], is_persons: Callable[[str], bool]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in _chunks(db, "changelogs"):
        for row, blob in chunk:
            changes: list[Change] = decode_changes(blob)
            if not _is_suspect([key.encode("utf-8", "surrogatepass") for key, _ in changes], needles):
                continue
            kept = [change for change in changes if not is_persons(change[0])]
            if len(kept) < len(changes):
                (store,) = db.execute("select store from changelogs where rowid = ?", (row,)).fetchone() or (
                    "",
                )
                _write(db, "changelogs", row, encode(kept))
                counts[store] += len(changes) - len(kept)
    return counts


def _is_suspect(values: Iterable[bytes], needles: Collection[bytes]) -> bool:
    return any(needle in value for value in values for needle in needles)


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
