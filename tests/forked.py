"""``masir`` without the second that its imports take: one process has imported all, and forks for each command.

What it forks is a process of its own, with its own arguments, environment, files, signals and exit code; it runs to the
end of the interpreter as the installed ``masir`` does. Shared are the imports, the tables of user agents, the seed of
hashes and the making of a new store, which is a copy: where two runs must be equal, one of them is the installed one's
(:func:`installed_masir`), whose hashes are others. Nothing that has threads is imported before: chDB is the child's
own. POSIX only.
"""

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, NamedTuple

from bench import running
from pipeline.cli import COMMANDS, main
from pipeline.core.bots import BotDetector
from pipeline.core.devices import device
from pipeline.store import client
from pipeline.store.migrations import migrate

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 1 << 18  # of a request
NO_THREADS = "OPENBLAS_NUM_THREADS"


class Forked:
    """A process that was forked, with what Popen can do. ``told``: brings its id, then how it ended."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.returncode: int | None = None
        self.pid = self._heard(None)

    def _heard(self, timeout: float | None) -> int:
        self._told.settimeout(timeout)
        said = self._told.recv(64)
        if not said:
            raise RuntimeError("the process that forks has ended")
        return int(said)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; negative: the signal that ended it."""
        if self.returncode is None:
            try:
                self.returncode = os.waitstatus_to_exitcode(self._heard(timeout))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("masir", timeout or 0) from None
            self._told.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Forking:
    """The process that forks, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stdout: IO[bytes],
        stderr: IO[bytes],
        stdin: IO[bytes] | None = None,
    ) -> Forked:
        """As :func:`bench.running.installed`."""
        with self._starting:
            if self._process is None:
                self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with asked:
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", "tests.forked", str(asked.fileno())],
                        cwd=ROOT,
                        env={**os.environ, NO_THREADS: "1"},
                        pass_fds=[asked.fileno()],
                    )
        told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([list(arguments), dict(env), str(Path.cwd())]).encode()
        with telling, open(os.devnull, "rb") as nothing:
            files = [(stdin or nothing).fileno(), stdout.fileno(), stderr.fileno(), telling.fileno()]
            socket.send_fds(self._asking, [request], files)
        return Forked(told)

    def stop(self) -> None:
        """Processes that run are left alone."""
        if self._process is not None:
            self._asking.close()
            self._process.wait()


@contextmanager
def commands_are_forked() -> Iterator[None]:
    """Those that :mod:`bench.running` starts."""
    forking = _Forking()
    try:
        with _started_by(forking.start):
            yield
    finally:
        forking.stop()


def installed_masir() -> AbstractContextManager[None]:
    """In it, commands are the installed ``masir``."""
    return _started_by(running.installed)


@contextmanager
def _started_by(start: Callable[..., running.Process]) -> Iterator[None]:
    running.start, before = start, running.start
    try:
        yield
    finally:
        running.start = before


class _Request(NamedTuple):
    arguments: list[str]
    env: dict[str, str]
    directory: str


def _serve(asked: socket.socket) -> _Request | None:
    """Fork for each request and tell how each ended. Returns the request in a child, None when nobody can ask."""
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    telling: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for one in (asked, woken):
            selector.register(one, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                _tell_of_ended(telling)
            if asked in ready:
                message, files, _, _ = socket.recv_fds(asked, MOST_BYTES, 4)
                if not message:
                    return None
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for number, file in enumerate(files[:3]):
                        os.dup2(file, number)
                for file in files[:3]:
                    os.close(file)
                tells = socket.socket(fileno=files[3])
                if not pid:
                    return _Request(*json.loads(message))
                telling[pid] = tells
                tells.send(str(pid).encode())


def _tell_of_ended(telling: dict[int, socket.socket]) -> None:
    while telling:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with telling.pop(pid) as told, suppress(OSError):  # nobody may want to know any more
            told.send(str(status).encode())


def _make_store(directory: Path) -> None:
    """One with tables and views; by another process, since a fork has none of the engine's threads."""
    pid = os.fork()
    if not pid:
        with client.connect(directory) as opened:
            migrate(opened)
        os._exit(0)
    assert not os.waitpid(pid, 0)[1]


def _copy_as_new(made: Path) -> None:
    """A new store is a copy of the one that was ``made``: its statements cost more than half a second each time."""
    connect = client.connect_embedded

    def copied(directory: Path, *, read_only: bool) -> client.Client:
        if not read_only and directory.parent.is_dir() and not directory.exists():
            copy = Path(
                shutil.copytree(made, directory.with_suffix(".copy"), symlinks=True, dirs_exist_ok=True)
            )
            copy.rename(directory)  # whole, whoever is killed meanwhile
        return connect(directory, read_only=read_only)

    client.connect_embedded = copied


def _fork_for_others(number: int) -> None:
    """Until nobody can ask; in each child: the command."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in (*(f"pipeline.cli.{name}" for name in COMMANDS), *_runners()):
        import_module(module)
    device("Mozilla/5.0 (X11; Linux x86_64)", BotDetector())  # reads the tables
    store = Path(tempfile.mkdtemp()) / client.STORE_DIRECTORY
    _make_store(store)
    assert threading.active_count() == 1
    assert "chdb" not in sys.modules
    request = _serve(socket.socket(fileno=number))
    if request is None:
        shutil.rmtree(store.parent)
    else:
        _copy_as_new(store)
        signal.signal(signal.SIGINT, interrupted)
        os.chdir(request.directory)
        os.environ.clear()
        os.environ.update(request.env)
        sys.argv = [running.MASIR, *request.arguments]
        sys.exit(main())


def _runners() -> set[str]:
    return {one.module for one in entry_points(group="masir.runners")}


if __name__ == "__main__":
    _fork_for_others(int(sys.argv[1]))
