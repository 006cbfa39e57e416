"""The disk under the embedded engine, which does not tell when it is full.

chDB (4.4.0, engine 26.9.2) goes on when a write fails: an insert is said to be done and a merge takes the place of its
sources, though their files are cut short. tests/store/test_disk.py shows it. But the engine counts such writes. So
nothing is written while little is free, merges rest meanwhile, and after each write the count is read: where it has
grown, the tables are loaded anew, which leaves broken parts out and takes the sources of broken merges back, and what
was being written is refused, to be written again.
"""

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.store.errors import StoreUnavailableError, mapped

# Room for one more block and the files of the engine; and what was full for a moment is not full again at once.
LEAST_FREE_BYTES = 64 * 1024**2

_FAILED = "SELECT sum(value) FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
_BROKEN = (
    "SELECT count() FROM system.detached_parts WHERE database = currentDatabase() AND reason LIKE 'broken%'"
)
_DETACHED = "SELECT table FROM system.detached_tables WHERE database = currentDatabase()"
_TABLES = (
    "SELECT name, data_paths[1] FROM system.tables"
    " WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
)
_TOKENS = "deduplication_logs"  # of a table, in its directory
_log = logging.getLogger(__name__)


def check_free(directory: Path) -> None:
    """Raises StoreUnavailableError if the disk of ``directory`` is as good as full."""
    free = shutil.disk_usage(directory).free
    if free < LEAST_FREE_BYTES:
        found = f"{free >> 20} MB are free on its disk, {LEAST_FREE_BYTES >> 20} are needed"
        raise StoreUnavailableError(f"{directory}: {found}: make room")


class Disk:
    """Watches what one writing client of the engine does, one thing at a time. ``driver``: of clickhouse-connect."""

    def __init__(self, driver: Any, directory: Path) -> None:
        self._driver = driver
        self._directory = directory
        self._failed = self._count(_FAILED)
        # What the engine finds broken when it starts it leaves out by itself, but it keeps the tokens.
        self._is_damaged = self._count(_BROKEN) > 0
        self._is_resting = False
        # Another thread may not mend, and forget, what failed before the writer has been told.
        self._lock = threading.Lock()

    @contextmanager
    def writing(self, *, is_checked: bool = True) -> Iterator[None]:
        """Something is written. Raises StoreUnavailableError while there is no room, and, if it ``is_checked``, when it
        may not have been written.
        """
        with self._lock:
            self._before()
            yield
            if is_checked:
                self._check()

    def _before(self) -> None:
        try:
            check_free(self._directory)
        except StoreUnavailableError:
            self._rest()
            raise
        if self._is_damaged:
            # A table that a question still reads cannot be loaded: try again.
            with mapped(StoreUnavailableError):
                self._mend()
        if self._is_resting:
            self._driver.command("SYSTEM START MERGES")
            self._is_resting = False

    def _check(self) -> None:
        failed = self._count(_FAILED)
        self._is_damaged |= failed > self._failed
        self._failed = failed
        if self._is_damaged:
            raise StoreUnavailableError(f"{self._directory}: the disk did not take what was written")

    def _count(self, query: str) -> int:
        return int(self._driver.query(query).first_row[0])

    def _rest(self) -> None:
        """Merges that run are given up: they need as much room as their sources have."""
        if not self._is_resting:
            self._driver.command("SYSTEM STOP MERGES")
            self._is_resting = True

    def _mend(self) -> None:
        """Load the tables anew, without their tokens: those of broken parts would keep the rows out that come again.
        Rows that come twice replace themselves.
        """
        _log.warning("%s: a write has failed: loading its tables anew, without broken parts", self._directory)
        for (table,) in self._driver.query(_DETACHED).result_rows:
            self._driver.command(f"ATTACH TABLE {table}")
        for table, directory in self._driver.query(_TABLES).result_rows:
            self._driver.command(f"DETACH TABLE {table} SYNC")
            shutil.rmtree(Path(directory) / _TOKENS, ignore_errors=True)
            self._driver.command(f"ATTACH TABLE {table}")
        self._is_damaged = False
