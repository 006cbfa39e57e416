"""Requests to erase persons, and who stays out, in the file of the topics. The key of the hashes stands beside it.

A request holds the person's id until it is done; then only the receipt and the site are left. One connection per call:
they are rare, and may come from any process.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.core.suppression import KEY_BYTES
from pipeline.secret_files import kept
from pipeline.transport.log import BUSY_SECONDS, DATABASE
from pipeline.transport.scrub import truncate_log
from schemas.erasure import Request

KEY_FILE = "suppression.key"
_DDL = """
create table if not exists erasures (
    number integer primary key, site text not null, kind text not null, id text, asked_ms integer not null, receipt blob
);
create table if not exists suppressed (digest blob primary key) without rowid;
"""


class ErasureRequests:
    """Those of one data directory."""

    def __init__(self, data: Path) -> None:
        self._path = data / DATABASE
        self.key = kept(data / KEY_FILE, secrets.token_bytes(KEY_BYTES))
        with self._open() as db:
            db.executescript(_DDL)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
            db.execute("pragma synchronous = full")
            db.execute("pragma secure_delete = on")
            yield db

    def ask(self, site: str, kind: str, an_id: str, now_ms: int) -> int:
        """A new request; returns its number."""
        with self._open() as db:
            sql = "insert into erasures (site, kind, id, asked_ms) values (?, ?, ?, ?)"
            number = db.execute(sql, (site, kind, an_id, now_ms)).lastrowid
        assert number is not None
        return number

    def pending(self) -> list[Request]:
        """What is not done yet, oldest first."""
        with self._open() as db:
            sql = (
                "select number, site, kind, id, asked_ms from erasures where receipt is null order by number"
            )
            return [Request(*row) for row in db.execute(sql)]

    def finish(self, number: int, receipt: bytes) -> None:
        """It is done: the id goes, the receipt stays."""
        with self._open() as db:
            db.execute("update erasures set id = null, receipt = ? where number = ?", (receipt, number))
            truncate_log(db)

    def receipt(self, number: int) -> bytes | None:
        """None while it is not done."""
        with self._open() as db:
            row = db.execute("select receipt from erasures where number = ?", (number,)).fetchone()
        return row[0] if row else None

    def sites(self) -> set[str]:
        """Sites of which somebody was erased."""
        with self._open() as db:
            return {site for (site,) in db.execute("select distinct site from erasures")}

    def suppressed(self) -> list[bytes]:
        """Hashes of who stays out."""
        with self._open() as db:
            return [digest for (digest,) in db.execute("select digest from suppressed")]

    def suppress(self, digests: Iterable[bytes]) -> None:
        """They stay out."""
        with self._open() as db:
            db.executemany("insert or ignore into suppressed values (?)", [(one,) for one in digests])

    def readmit(self, digests: Iterable[bytes]) -> int:
        """They may come in again; how many of them were kept out."""
        with self._open() as db:
            before = db.total_changes
            db.executemany("delete from suppressed where digest = ?", [(one,) for one in digests])
            return db.total_changes - before
