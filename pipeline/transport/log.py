"""Topics, committed offsets and changelogs in one SQLite file.

A row of ``batches`` holds many records, as a Kafka record batch does: appending 5,000 of them is one insert. Offsets
count records, start at 0 and have no gaps. All writes of a unit of work are one transaction. Readers and writers may be
several processes; a writer waits up to ``BUSY_SECONDS`` for another one.

Durability: WAL with ``synchronous=FULL``: what is committed survives ``kill -9`` and a power cut. Units of work need it
as much as acknowledged hits do: their rows go to the store, which could not take them back.
Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pipeline.core.packed import Packed, Run, joined
from pipeline.transport.packing import (
    Change,
    Payload,
    compressed,
    decode_changes,
    decode_payload,
    encode,
    packed_bytes,
)
from pipeline.transport.tail import Tail

DATABASE = "masir.db"  # within the data directory
BUSY_SECONDS = 30.0
PAGE_BYTES = 8_192
CHECKPOINT_PAGES = 4_000  # about 32 MB of write-ahead log

_DDL = """
create table if not exists topics (
    name text primary key, partitions integer not null, retention_ms integer not null
) without rowid;
create table if not exists batches (
    topic text not null, partition integer not null, base integer not null, count integer not null,
    written_ms integer not null, payload blob not null, primary key (topic, partition, base)
);
create table if not exists heads (
    topic text not null, partition integer not null, next integer not null, primary key (topic, partition)
) without rowid;
create table if not exists offsets (
    consumer text not null, topic text not null, partition integer not null, next integer not null,
    primary key (consumer, topic, partition)
) without rowid;
create table if not exists changelogs (
    store text not null, partition integer not null, sequence integer not null, count integer not null,
    payload blob not null, primary key (store, partition, sequence)
);
"""


class Records(NamedTuple):
    """Some records of one partition, in order. ``timestamps``: when each was received, ms."""

    offsets: Sequence[int]
    values: Sequence[bytes]
    timestamps: list[int]


NO_RECORDS = Records(range(0), [], [])


class Log:
    """One connection to the file. ``sqlite3.DatabaseError`` names it where it cannot be opened."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.tail = Tail()
        try:
            self._db = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._db.execute(f"pragma page_size = {PAGE_BYTES}")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._db.executescript(_DDL)
        except sqlite3.DatabaseError as error:
            raise type(error)(f"{path}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside takes place, or nothing."""
        self._db.execute("begin immediate")
        self.tail.begin()
        try:
            yield
            self._db.execute("commit")
            self.tail.commit()
        except BaseException:
            if self._db.in_transaction:  # SQLite ends it itself where the disk is full or fails
                self._db.execute("rollback")
            raise

    def create_topic(self, name: str, *, partitions: int, retention_ms: int) -> None:
        """Declare a topic; its retention may change later, its number of partitions never."""
        known = self.partitions(name)
        if known is not None and known != partitions:
            raise ValueError(f"topic {name} has {known} partitions, not {partitions}; that cannot change")
        self._db.execute(
            "insert into topics values (?, ?, ?) on conflict do update set retention_ms = excluded.retention_ms",
            (name, partitions, retention_ms),
        )

    def partitions(self, topic: str) -> int | None:
        """How many partitions the topic has; None: there is no such topic."""
        row = self._db.execute("select partitions from topics where name = ?", (topic,)).fetchone()
        return row[0] if row else None

    def append(
        self,
        topic: str,
        partition: int,
        values: list[bytes],
        *,
        now_ms: int,
        timestamps: list[int] | None = None,
    ) -> int:
        """Append records inside the current transaction; returns the offset of the first. The list is the log's now."""
        payload = Payload(values, timestamps or [now_ms] * len(values))
        return self._append(topic, partition, payload, encode(payload), now_ms)

    def append_row(self, topic: str, partition: int, row: Run, *, now_ms: int) -> int:
        """The same of records that lie in the msgpack of what a row holds, with this time each."""
        payload = Payload(Packed([row]), [now_ms] * len(row.starts))
        return self._append(topic, partition, payload, compressed(row.buffer), now_ms)

    def _append(self, topic: str, partition: int, payload: Payload, blob: bytes, now_ms: int) -> int:
        base, count = self.end(topic, partition), len(payload.values)
        self._db.execute(
            "insert into batches values (?, ?, ?, ?, ?, ?)", (topic, partition, base, count, now_ms, blob)
        )
        self._db.execute(
            "insert into heads values (?, ?, ?) on conflict do update set next = excluded.next",
            (topic, partition, base + count),
        )
        self.tail.append(topic, partition, base, payload, packed_bytes(blob))
        return base

    def read(self, topic: str, partition: int, offset: int, *, most: int) -> Records:
        """About ``most`` records from ``offset`` on: whole rows, at least one if there is any."""
        rows: Iterable[tuple[int, int, Payload | bytes]]
        rows = self.tail.read(topic, partition, offset) or self._db.execute(
            "select base, count, payload from batches where topic = ?1 and partition = ?2 and base >= coalesce("
            "(select max(base) from batches where topic = ?1 and partition = ?2 and base <= ?3), 0) order by base",
            (topic, partition, offset),
        )
        values: list[Sequence[bytes]] = []
        timestamps: list[int] = []
        first = offset
        for base, count, stored in rows:
            if base + count <= offset:
                continue
            if values and len(timestamps) + count > most:
                break
            skip = max(0, offset - base)
            if not values:
                first = base + skip
            payload = decode_payload(stored) if isinstance(stored, bytes) else stored
            values.append(payload.values[skip:] if skip else payload.values)
            timestamps += payload.timestamps[skip:]
        end = first + len(timestamps)
        self.tail.let_go(topic, partition, end)
        return Records(range(first, end), joined(values), timestamps)

    def begin(self, topic: str, partition: int) -> int:
        """Offset of the oldest record still kept."""
        row = self._db.execute(
            "select min(base) from batches where topic = ? and partition = ?", (topic, partition)
        ).fetchone()
        return self.end(topic, partition) if row[0] is None else int(row[0])

    def end(self, topic: str, partition: int) -> int:
        """Offset that the next record will get."""
        row = self._db.execute(
            "select next from heads where topic = ? and partition = ?", (topic, partition)
        ).fetchone()
        return row[0] if row else 0

    def ends(self) -> dict[tuple[str, int], int]:
        """:meth:`end` of every partition that has had a record."""
        rows = self._db.execute("select topic, partition, next from heads")
        return {(topic, partition): end for topic, partition, end in rows}

    def commit_offset(self, consumer: str, topic: str, partition: int, next_offset: int) -> None:
        """``consumer`` goes on at ``next_offset`` (inside the current transaction)."""
        self._db.execute(
            "insert into offsets values (?, ?, ?, ?) on conflict do update set next = excluded.next",
            (consumer, topic, partition, next_offset),
        )

    def committed(self, consumer: str) -> dict[tuple[str, int], int]:
        """Where the consumer goes on, per (topic, partition); absent: at the beginning."""
        rows = self._db.execute("select topic, partition, next from offsets where consumer = ?", (consumer,))
        return {(topic, partition): offset for topic, partition, offset in rows}

    def append_changes(self, store: str, partition: int, sequence: int, changes: Sequence[Change]) -> int:
        """Append to a changelog inside the current transaction; returns its bytes."""
        payload = encode(changes)
        self._db.execute(
            "insert into changelogs values (?, ?, ?, ?, ?)",
            (store, partition, sequence, len(changes), payload),
        )
        return len(payload)

    def changes(self, store: str, partition: int) -> Iterator[tuple[int, list[Change]]]:
        """(sequence, changes) of a changelog, oldest first."""
        rows = self._db.execute(
            "select sequence, payload from changelogs where store = ? and partition = ? order by sequence",
            (store, partition),
        )
        for sequence, payload in rows:
            yield sequence, decode_changes(payload)

    def take_changes(self, store: str, partition: int, sequence: int) -> list[Change]:
        """Delete one entry of a changelog (inside the current transaction); returns what it held."""
        where = "where store = ? and partition = ? and sequence = ?"
        which = (store, partition, sequence)
        row = self._db.execute(f"select payload from changelogs {where}", which).fetchone()
        self._db.execute(f"delete from changelogs {where}", which)
        return decode_changes(row[0])

    def change_numbers(self, store: str, partition: int) -> list[int]:
        """The numbers of a changelog's entries, ascending."""
        rows = self._db.execute(
            "select sequence from changelogs where store = ? and partition = ? order by sequence",
            (store, partition),
        )
        return [number for (number,) in rows]

    def drop_changes(self, store: str, partition: int, *, before: int) -> None:
        """Delete the entries numbered less (inside the current transaction)."""
        self._db.execute(
            "delete from changelogs where store = ? and partition = ? and sequence < ?",
            (store, partition, before),
        )

    def apply_retention(self, readers: Mapping[str, Sequence[str]], now_ms: int) -> int:
        """Delete what every reader has consumed and retention does not keep; returns the number of rows deleted.

        ``readers``: topic -> consumers that must have passed a record before it may go.
        """
        deleted = 0
        with self.transaction():
            committed = {reader: self.committed(reader) for reader in {*chain(*readers.values())}}
            topics = self._db.execute("select name, partitions, retention_ms from topics").fetchall()
            for name, partitions, retention_ms in topics:
                for partition in range(partitions):
                    consumed = [
                        committed[reader].get((name, partition), 0) for reader in readers.get(name, ())
                    ]
                    upto = min(consumed, default=self.end(name, partition))
                    deleted += self._db.execute(
                        "delete from batches where topic = ? and partition = ? and base + count <= ?"
                        " and written_ms < ?",
                        (name, partition, upto, now_ms - retention_ms),
                    ).rowcount
        return deleted
