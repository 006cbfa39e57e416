"""Access logs as they are written -> hits, sent until they are acknowledged; then, and only then, remembered as read.

The places, and the salt of the visitors' names, are one JSON file. A crash between the acknowledgement and the
remembering sends the same lines again, with the same ``hit_id`` s: duplicates. A line that is no page view is counted
and passed over; one that is no log line is sent as it is, and ends as a dead letter.
"""

import fcntl
import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from pipeline.sources.access_log import read_access_log
from pipeline.sources.errors import SourceError
from pipeline.sources.follow import GRACE_S, Follower, Line, Position

BATCH_LINES = 1_000

Deliver = Callable[[list[bytes]], Awaitable[object]]


class Places(Struct):
    """What is remembered. ``files``: by absolute path."""

    salt: str
    files: dict[str, Position] = {}


class Memory:
    """The file of the places; one process at a time. :class:`SourceError`: another has it, or it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock: BinaryIO = path.with_name(path.name + ".lock").open("ab")
        except OSError as error:
            raise SourceError(f"cannot be used as the state: {error.strerror}", str(path)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.places = self._read()
        except BlockingIOError as error:
            self.close()
            raise SourceError(
                "another masir tail goes by it; give each its own --state", str(path)
            ) from error
        except (OSError, msgspec.DecodeError) as error:
            self.close()
            raise SourceError(f"cannot be used as the state: {error}", str(path)) from error

    def _read(self) -> Places:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Places)
        except FileNotFoundError:
            return Places(secrets.token_hex(16))

    def keep(self, path: Path, position: Position) -> None:
        """Durable when it returns: a new file in place of the old one."""
        self.places.files[str(path)] = position
        new = self._path.with_name(self._path.name + ".new")
        with new.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)  # the salt
            file.write(msgspec.json.format(msgspec.json.encode(self.places), indent=2))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()


class Tail:
    """Several files, one batch after the other. ``constants``: of each hit, the site among them."""

    def __init__(
        self,
        paths: Sequence[Path],
        memory: Memory,
        *,
        constants: dict[str, Any],
        deliver: Deliver,
        clock: Callable[[], float],
        from_end: bool = False,
        grace_s: float = GRACE_S,
        told: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.lines = 0
        self.skipped: Counter[str] = Counter()
        self._memory = memory
        self._constants = constants
        self._deliver = deliver
        known = memory.places.files
        self._files = [
            Follower(path, known.get(str(path)), from_end=from_end, grace_s=grace_s, clock=clock, told=told)
            for path in (path.absolute() for path in paths)
        ]

    async def step(self) -> int:
        """One batch of each file; the number of lines read."""
        read = 0
        for file in self._files:
            before = file.position
            lines = file.read(BATCH_LINES)
            hits = [hit for line in lines if (hit := self._hit(line))]
            if hits:
                await self._deliver(hits)
            position = file.position
            if position is not None and position != before:
                self._memory.keep(file.path, position)
            read += len(lines)
        self.lines += read
        return read

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()

    def _hit(self, line: Line) -> bytes | None:
        constants = {**self._constants, "hit_id": line.name}
        return next(
            read_access_log(iter((line.text,)), constants, self._memory.places.salt, self.skipped), None
        )
