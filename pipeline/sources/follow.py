"""A file that grows and is rotated -> its lines, each once, in order, across restarts.

A file is known by device and inode, and by its first bytes, since an inode is used again. What is read up to an offset
is not read again. At the end of a file that is no longer under its name (renamed by a rotation), its successor follows:
the next file by age whose name begins the same, compressed ones aside. Whoever writes may go on with the renamed file
for a while, so it is left only when it has been quiet for ``grace_s``. A file that became shorter was truncated in
place (``copytruncate``) and is read from its start.

A line comes without its end (LF or CRLF), cut at ``MAX_LINE_BYTES``; one that has no end yet waits, but for the last
of a renamed file. Errors: :class:`SourceError` for a file that cannot be read; one that is not there yet is waited for.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from pipeline.sources.errors import SourceError
from pipeline.sources.lines import MAX_LINE_BYTES

GRACE_S = 1.0
_HEAD_BYTES = 256
_COMPRESSED = frozenset((".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z"))


class Position(Struct, frozen=True):
    """How far a file has been read. ``head``: a hash of its first ``head_bytes`` bytes."""

    device: int
    inode: int
    offset: int = 0
    head: str = ""
    head_bytes: int = 0


class Line(NamedTuple):
    """``name``: of the line, the same whenever it is read: file, offset and content."""

    text: bytes
    name: str


class Follower:
    """One path. ``position``: where to go on; None: at the start of what is there (``from_end``: at its end).

    ``clock``: seconds, of any origin. ``told``: is told in words of what is lost, as far as can be known.
    """

    def __init__(
        self,
        path: Path,
        position: Position | None = None,
        *,
        from_end: bool = False,
        grace_s: float = GRACE_S,
        clock: Callable[[], float],
        told: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.path = path
        self._resume = position
        self._from_end = from_end
        self._grace_s = grace_s
        self._clock = clock
        self._told = told
        self._file: BinaryIO | None = None
        self._id = (0, 0)
        self._offset = 0
        self._head = ("", 0)
        self._skipping = False  # the rest of a line that was already cut and given out
        self._quiet_since: float | None = None

    @property
    def position(self) -> Position | None:
        """Of the lines that were given out so far; None if there was no file yet."""
        if self._file is None:
            return self._resume
        return Position(*self._id, self._offset, *self._head)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def read(self, limit: int) -> list[Line]:
        """At most so many lines; none if there is nothing new."""
        try:
            if self._file is None and not self._begin():
                return []
            lines = self._take(limit)
            if lines:
                self._quiet_since = None
            else:
                lines = self._at_the_end(limit)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}", str(self.path)) from error
        return lines

    def _begin(self) -> bool:
        """Opens the file to go on with; False if there is none yet."""
        resume = self._resume
        if resume is not None:
            for path in self._generations():
                if _id_of(path) == (resume.device, resume.inode):
                    file = path.open("rb")
                    if _head(file, resume.head_bytes) == resume.head:
                        self._use(file, resume.offset)
                        return True
                    file.close()
            self._told(
                f"{self.path}: the file that was read last is gone or compressed; what it had more is lost"
            )
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return False
        self._use(file, os.fstat(file.fileno()).st_size if self._from_end and resume is None else 0)
        self._resume = None
        return True

    def _use(self, file: BinaryIO, offset: int) -> None:
        self.close()
        status = os.fstat(file.fileno())
        self._file, self._id, self._offset = file, (status.st_dev, status.st_ino), offset
        self._head = ("", 0)
        self._skipping, self._quiet_since = False, None
        self._look_at_head()

    def _take(self, limit: int, *, is_last: bool = False) -> list[Line]:
        assert self._file is not None
        self._file.seek(self._offset)
        lines: list[Line] = []
        while len(lines) < limit:
            raw = self._file.readline(MAX_LINE_BYTES + 2)
            ends = raw.endswith(b"\n")
            if not raw or not (ends or is_last or len(raw) > MAX_LINE_BYTES):
                break
            if not self._skipping:
                text = raw.removesuffix(b"\n").removesuffix(b"\r")[:MAX_LINE_BYTES]
                lines.append(Line(text, _name(self._id, self._offset, text)))
            self._offset += len(raw)
            self._skipping = not ends
        self._look_at_head()
        return lines

    def _look_at_head(self) -> None:
        """What tells this file from a later one of the same inode; looked at as long as it grows."""
        assert self._file is not None
        size = min(_HEAD_BYTES, self._offset)
        if size != self._head[1]:
            self._head = _head(self._file, size), size

    def _at_the_end(self, limit: int) -> list[Line]:
        """What to do where the open file has nothing more: it was truncated, it has a successor, or nothing."""
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._offset:
            self._offset, self._skipping, self._head = 0, False, ("", 0)
            return self._take(limit)
        if _id_of(self.path) in (None, self._id):
            self._quiet_since = None
            return []
        now = self._clock()
        if self._quiet_since is None:
            self._quiet_since = now
        if now - self._quiet_since < self._grace_s:
            return []
        rest = self._take(limit, is_last=True)
        if rest:
            return rest
        ages = self._generations()
        ids = [_id_of(path) for path in ages]
        successor = ages[ids.index(self._id) + 1] if self._id in ids[:-1] else self.path
        try:
            self._use(successor.open("rb"), 0)
        except FileNotFoundError:  # renamed just now
            return []
        return self._take(limit)

    def _generations(self) -> list[Path]:
        """The file and those it was renamed to, the oldest first."""
        found = []
        for path in self.path.parent.glob(f"{_literal(self.path.name)}*"):
            with suppress(FileNotFoundError):  # deleted just now
                if path.suffix not in _COMPRESSED and path.is_file():
                    found.append((path == self.path, path.stat().st_mtime_ns, path))
        return [path for *_, path in sorted(found)]


def _id_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _head(file: BinaryIO, size: int) -> str:
    return blake2b(os.pread(file.fileno(), size, 0), digest_size=16).hexdigest() if size else ""


def _name(file: tuple[int, int], offset: int, text: bytes) -> str:
    return blake2b(b"%d:%d:%d:%b" % (*file, offset, text), digest_size=16).hexdigest()


def _literal(name: str) -> str:
    """The name as a glob that matches only itself."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
