"""Jobs as processes of their own, each pinned to one core, and what was measured of them.

Seconds are seconds; sizes are bytes. A job is a Python module that prints one JSON :class:`Measure` as its
last line.
"""

import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from bench.jars import UnavailableError

ROOT = Path(__file__).resolve().parent.parent
PORTS = range(20_000, 32_000)  # below those that the system gives to whoever asks for any


def free_port() -> int:
    """A port for a process that is killed and started again: nobody else is given it by chance meanwhile."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Measure(Struct, omit_defaults=True):
    """``seconds``: wall time of the work itself, without start and end of the process. ``cpu_seconds``: in
    that time.

    ``max_rss``: greatest memory of the whole process. 0 where not measured.
    """

    hits: int
    seconds: float
    cpu_seconds: float
    max_rss: int = 0

    @property
    def rate(self) -> float:
        """Hits per second of wall time; the job had one core."""
        return self.hits / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Hits per second of CPU time: hardly changes when other work shares the core. 0 where not known."""
        return self.hits / self.cpu_seconds if self.cpu_seconds else 0.0

    @property
    def busy(self) -> float:
        """The share of its core that the job used: below 0.9 it waited, or other work was on the core."""
        return self.cpu_seconds / self.seconds


class Stopwatch:
    """Wall and CPU time of this process between entry and exit."""

    def __enter__(self) -> Self:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds = time.perf_counter() - self._wall
        self._cpu_seconds = time.process_time() - self._cpu

    def measure(self, hits: int) -> Measure:
        """What the work between entry and exit took."""
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Measure(hits, self._seconds, self._cpu_seconds, rss_bytes(most))


def rss_bytes(ru_maxrss: int) -> int:
    """``ru_maxrss`` in bytes: macOS gives bytes, Linux KiB."""
    return ru_maxrss if sys.platform == "darwin" else ru_maxrss * 1024


def cores() -> tuple[int, int]:
    """The core of the job under test, and that of its broker: another one if there is one."""
    if sys.platform != "linux":
        return 0, 0
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, kept to that core where the system can."""
    taskset = shutil.which("taskset")
    return list(command) if core is None or taskset is None else [taskset, "-c", str(core), *command]


def emit(measure: Measure) -> None:
    """Called at the end of a job."""
    sys.stdout.write(msgspec.json.encode(measure).decode() + "\n")
    sys.stdout.flush()


def run_module(module: str, *arguments: str, timeout_s: float = 600) -> Measure:
    """Run a job of this package on the first core; its last line of output is the measure."""
    said = output_of(module, *arguments, timeout_s=timeout_s, core=cores()[0])
    return msgspec.json.decode(said[-1], type=Measure)


def output_of(module: str, *arguments: str, timeout_s: float = 600, core: int | None = None) -> list[str]:
    """Lines, one at least, that a module of this package prints; ``core``: the one it is kept to."""
    command = pinned([sys.executable, "-m", module, *arguments], core)
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode(errors="replace").strip()[-600:]
        raise UnavailableError(f"{module} took longer than {timeout_s:.0f} s. {said}") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise UnavailableError(f"{module} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return lines
