"""Requests to make the history of stage models anew, in the file of the topics. One connection per call: they are rare,
and may come from any process.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.transport.log import BUSY_SECONDS, DATABASE

_DDL = """
create table if not exists rebuilds (
    number integer primary key, models text not null, is_begun integer not null, receipt blob
);
create table if not exists epochs (epoch integer primary key, number integer not null);
"""


class Request(NamedTuple):
    """``models``: names. ``is_begun``: hits have been matched by the new models, so this must be brought to its end."""

    number: int
    models: tuple[str, ...]
    is_begun: bool


class RebuildRequests:
    """Those of one data directory."""

    def __init__(self, data: Path) -> None:
        self._path = data / DATABASE
        with self._open() as db:
            db.executescript(_DDL)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
            db.execute("pragma synchronous = full")
            yield db

    def ask(self, models: Sequence[str]) -> int:
        """A new request; returns its number."""
        with self._open() as db:
            sql = "insert into rebuilds (models, is_begun) values (?, 0)"
            number = db.execute(sql, (" ".join(models),)).lastrowid
        assert number is not None
        return number

    def pending(self) -> list[Request]:
        """What is not done yet, oldest first."""
        with self._open() as db:
            sql = "select number, models, is_begun from rebuilds where receipt is null order by number"
            return [
                Request(number, tuple(names.split()), bool(begun)) for number, names, begun in db.execute(sql)
            ]

    def begin(self, number: int) -> int:
        """From now on it must be brought to its end. Returns a new epoch, that of what is matched from now on."""
        with self._open() as db:
            db.execute("update rebuilds set is_begun = 1 where number = ?", (number,))
            epoch = db.execute("insert into epochs (number) values (?)", (number,)).lastrowid
        assert epoch is not None
        return epoch

    @property
    def epoch(self) -> int:
        """Of what is matched now; 0 before the first rebuild."""
        with self._open() as db:
            return int(db.execute("select coalesce(max(epoch), 0) from epochs").fetchone()[0])

    def finish(self, number: int, receipt: bytes) -> None:
        """It is done, or refused."""
        with self._open() as db:
            db.execute("update rebuilds set receipt = ? where number = ?", (receipt, number))

    def receipt(self, number: int) -> bytes | None:
        """None while it is not done."""
        with self._open() as db:
            row = db.execute("select receipt from rebuilds where number = ?", (number,)).fetchone()
        return row[0] if row else None
