"""``masir`` as a process of its own: commands, and ``masir run`` to be stopped, killed or frozen.

Seconds are seconds. What the process prints goes to a file beside its data directory. Every wait has a
deadline and raises :class:`LateError`. Needs an installed ``masir`` beside the running Python.
"""

import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

from agents.embedded import APP
from pipeline.store.client import rows
from pipeline.store.errors import StoreError
from pipeline.store.query_socket import SocketReader
from pipeline.transport.log import DATABASE, Log
from schemas.topics import TOPICS

MASIR = str(Path(sys.executable).with_name("masir"))
PATIENCE_SECONDS = 120.0
COMMAND_SECONDS = 240.0
_POLL_SECONDS = 0.05
_RESTS = 3  # times what asking took: who asks must not take the machine from what is waited for
_LATENESS = 0.1  # of what has been waited already: who waits for long asks less often
_URL = re.compile(r"POST (http://\S+)/v1/hits")


class LateError(Exception):
    """Something did not happen within its time."""


def wait_for(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of ``condition``; ``what`` is for the message when there is none."""
    began = asked = time.monotonic()
    deadline = began + seconds
    while not (value := condition()):
        now = time.monotonic()
        if now > deadline:
            raise LateError(f"not within {seconds:.0f} s: {what}")
        time.sleep(max(_POLL_SECONDS, _RESTS * (now - asked), _LATENESS * (now - began)))
        asked = time.monotonic()
    return value


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's, with these settings and no others of Masir's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MASIR_")}
    return inherited | {f"MASIR_{name.upper()}": str(value) for name, value in settings.items()}


class Process(Protocol):
    """What of :class:`subprocess.Popen` is used here."""

    pid: int
    returncode: Any

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


def installed(
    arguments: Sequence[str],
    env: Mapping[str, str],
    *,
    stdout: IO[bytes],
    stderr: IO[bytes],
    stdin: IO[bytes] | None = None,
) -> Process:
    """Start the ``masir`` that is installed. No ``stdin``: this process's."""
    return subprocess.Popen([MASIR, *arguments], env=env, stdin=stdin, stdout=stdout, stderr=stderr)


start: Callable[..., Process] = installed  # tests put another in its place


def command(
    *arguments: str | Path, settings: Mapping[str, object] | None = None, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run ``masir`` with these arguments to its end, however it ends."""
    given = list(map(str, arguments))
    with TemporaryFile() as read, TemporaryFile() as out, TemporaryFile() as err:
        read.write(stdin)
        read.seek(0)
        process = start(given, environment(settings or {}), stdin=read, stdout=out, stderr=err)
        try:
            code = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        said = [file.seek(0) or file.read() for file in (out, err)]
    return subprocess.CompletedProcess(given, code, *said)


def export(data: Path, **settings: object) -> dict[str, bytes]:
    """Every view as sorted TSV, without the columns that tell of the processing."""
    out = data.with_name(f"{data.name}.views")
    done = command("sql", "--export", out, "--data", data, settings=settings)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return {file.stem: file.read_bytes() for file in out.iterdir()}


def without_duplicates(views: Mapping[str, bytes]) -> dict[str, bytes]:
    """The views but for the count of duplicates: what must not depend on how often a hit was sent."""
    ledger = views["ledger"].splitlines(keepends=True)
    kept = b"".join(line for line in ledger if b"\tduplicate\t" not in line)
    return {**views, "ledger": kept}


class Asked(ABC):
    """What runs on a data directory, asked through the process that holds the store. ``said``: what was printed."""

    data: Path

    @property
    @abstractmethod
    def said(self) -> str:
        """What was printed since the start."""

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask the store through the process that holds it."""
        return rows(SocketReader(self.data), sql)

    def value(self, sql: str) -> Any:
        """The first column of the only row of the answer."""
        (row,) = self.query(sql)
        return next(iter(row.values()))

    def wait_for_value(self, sql: str, expected: Any, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Until the query's value is ``expected``."""
        found: list[Any] = [None]

        def is_so() -> bool:
            try:
                found[0] = self.value(sql)
            except StoreError as error:
                found[0] = error
            return bool(found[0] == expected)

        try:
            wait_for(is_so, sql, seconds=seconds)
        except LateError as error:
            raise LateError(f"{error}: {found[0]!r} and not {expected!r}. Said: {self.said}") from None


class Running(Asked):
    """One data directory and the process that runs on it, if one does. ``settings``: name -> value."""

    def __init__(self, data: Path, **settings: object) -> None:
        self.data = data
        self.url = ""
        self._settings = settings
        self._said = data.with_name(f"{data.name}.log")
        self._process: Process | None = None

    def __enter__(self) -> "Running":
        with ExitStack() as failing:
            failing.push(self)  # one that does not start in time is not left behind
            self.start()
            failing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def spawn(self) -> None:
        """Start the process and do not wait for it."""
        self.url = ""
        with self._said.open("wb") as said:
            arguments = ["run", "--data", str(self.data), "--listen", "127.0.0.1:0"]
            self._process = start(arguments, environment(self._settings), stdout=said, stderr=said)

    def start(self) -> "Running":
        """Start the process; returns once it takes hits."""
        self.spawn()
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Until the process has said where it listens."""
        self.url = wait_for(self._address, "masir run takes hits")

    def _address(self) -> str:
        said = self.said
        if self._running.poll() is not None:
            raise LateError(f"masir run ended with {self._running.returncode}: {said}")
        found = _URL.search(said)
        return found[1] if found else ""

    @property
    def said(self) -> str:
        """What the process has printed since its start."""
        return self._said.read_text(errors="replace")

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._running.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        self._running.send_signal(number)

    def kill(self) -> None:
        """``kill -9``, also of a process that is frozen."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self._running
        process.send_signal(number)
        code = process.wait(PATIENCE_SECONDS)
        self._process, self.url = None, ""
        return code

    def wait_until_drained(self) -> None:
        """Until every record of every topic has been consumed: what has been acknowledged is in the store."""
        log = Log(self.data / DATABASE)
        readers = {topic.name for topic in TOPICS if topic.readers}

        def is_drained() -> bool:
            committed = log.committed(APP)
            return all(committed.get(at, 0) == end for at, end in log.ends().items() if at[0] in readers)

        try:
            wait_for(is_drained, "all topics are consumed")
        finally:
            log.close()
