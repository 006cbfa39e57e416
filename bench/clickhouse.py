"""A ClickHouse server as a process of its own (:mod:`bench.clickhouse_server`): started, stopped, killed, armed with
faults. Address and directory stay the same over a restart. What it prints goes to a file beside the directory.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import msgspec

from bench.process import ROOT, free_port

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


class ClickHouse:
    """``url`` is what ``MASIR_CLICKHOUSE`` wants. Use it in a ``with``; the process is started and killed by it.

    ``certificate``: PEM of a certificate for localhost and its key; then the server speaks HTTPS.
    """

    def __init__(
        self,
        directory: Path,
        *,
        user: str = "default",
        password: str = "",
        database: str = "masir",
        config: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._directory, self._password, self._certificate = directory, password, certificate
        self._said = directory.with_name(f"{directory.name}.clickhouse.log")
        self.port = free_port()
        self._command = [
            sys.executable,
            "-m",
            "bench.clickhouse_server",
            str(directory),
            f"--port={self.port}",
        ]
        self._command += [f"--user={user}", f"--database={database}"]
        self._command += [f"--config={config}"] if config else []
        self._command += [f"--certificate={certificate}"] if certificate else []
        scheme = "https" if certificate else "http"
        credentials = f"{quote(user)}:{quote(password, safe='')}@"
        self.url = f"{scheme}://{credentials}localhost:{self.port}/{database}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ClickHouse":
        with ExitStack() as failing:
            failing.push(self)  # one that does not start in time is not left behind
            self.start()
            failing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> None:
        """Start the process; returns once it answers."""
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=os.environ | {"PASSWORD": self._password},
                stdout=said,
                stderr=said,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the test's ClickHouse does not start: {self._said.read_text()[-600:]}")
            time.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def stop(self) -> None:
        """As an operator does; connections in use are cut after a second."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """``kill -9``."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "not started"
        self._process.send_signal(number)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def arm(
        self, kind: str, *, match: str = "", times: int = 1, seconds: float = 0.0, code: int = 1000
    ) -> None:
        """The next ``times`` queries that contain ``match`` meet a fault: bench.clickhouse_server.Fault."""
        fault = {"kind": kind, "match": match, "times": times, "seconds": seconds, "code": code}
        self._ask("POST", f"/faults?{urlencode(fault)}")

    def disarm(self) -> None:
        """No more faults."""
        self._ask("DELETE", "/faults")

    def struck(self, kind: str) -> int:
        """How often this kind of fault has struck since the start."""
        return msgspec.json.decode(self._ask("GET", "/faults"), type=dict[str, int]).get(kind, 0)

    def _answers(self) -> bool:
        if self._certificate is not None:
            with socket.socket() as connection:
                return connection.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            return self._ask("GET", "/ping") == b"Ok.\n"
        except (URLError, ConnectionError):
            return False

    def _ask(self, method: str, path: str) -> bytes:
        if self._process is not None and self._process.poll() is not None:
            code, said = self._process.returncode, self._said.read_text()[-2_000:]
            raise RuntimeError(f"the test's ClickHouse has ended with {code}: {said}")
        with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", method=method), timeout=5) as answer:
            body: bytes = answer.read()
            return body
