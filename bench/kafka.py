"""A real Apache Kafka on this machine: one node, KRaft, its data in a directory; for benchmarks and for
tests.

    with Broker(directory) as broker:
        connect(broker.address)

``start`` formats the directory the first time, and returns when the broker answers requests. The same object
can be stopped (cleanly) or killed and started again on the same data and port. Not for production: nothing is
replicated.
"""

import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.jars import KAFKA, UnavailableError, fetch, java
from bench.process import free_port, pinned

_API_VERSIONS_REQUEST = b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x07\xff\xff"  # key 18, version 0, id 7

SHORT_LIVED = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)
"""Of Java, for tests: less than half the CPU time of a start. Nothing is compiled twice, and no class verified."""

_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # After a kill the old registration must run out first: in seconds, not the default nine.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


class Broker:
    """``settings`` go over the defaults (Kafka's own names). ``core``: the processor it is kept to; None: any.

    ``voters``: of a cluster of several, node -> address of its controller; ``cluster_id`` is the same for all of them.
    ``listeners``: more of them, ``NAME://HOST:PORT``. ``format_options``: for Kafka's storage tool. ``java_options``:
    see :data:`SHORT_LIVED`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        core: int | None = None,
        heap: str = "768m",
        node: int = 1,
        voters: Mapping[int, str] | None = None,
        cluster_id: str | None = None,
        listeners: Sequence[str] = (),
        format_options: Sequence[str] = (),
        java_options: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._core, self._heap = core, heap
        self._classpath = f"{fetch(KAFKA)}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self._node = node
        self._voters = voters or {node: f"127.0.0.1:{free_port()}"}
        self._cluster_id = cluster_id or new_cluster_id()
        self._listeners, self._format_options, self._java_options = listeners, format_options, java_options
        directory.mkdir(parents=True, exist_ok=True)
        self._write_settings(settings or {})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_s: float = 180) -> None:
        """Start, and wait until requests are answered."""
        self.spawn()
        self.wait_until_up(timeout_s)

    def spawn(self) -> None:
        """Start, and do not wait: a node of several answers only when most of them are there."""
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                pinned(self._command("kafka.Kafka", str(self._config)), self._core),
                stdout=log,
                stderr=log,
            )

    def wait_until_up(self, timeout_s: float = 180) -> None:
        """Until requests are answered."""
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise UnavailableError(f"Kafka did not start: {self._log.read_text()[-600:]}")
            time.sleep(0.1)

    def stop(self, timeout_s: float = 30) -> None:
        """End it in good order; kill it if that takes too long."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _config(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _log(self) -> Path:
        return self.directory / "server.log"

    def _write_settings(self, settings: Mapping[str, str]) -> None:
        merged = _SETTINGS | {
            "node.id": str(self._node),
            "listeners": ",".join(
                (f"PLAINTEXT://{self.address}", f"CONTROLLER://{self._voters[self._node]}", *self._listeners)
            ),
            "controller.quorum.voters": ",".join(f"{node}@{at}" for node, at in self._voters.items()),
            "log.dirs": str(self.directory / "data"),
        }
        merged |= settings
        self._config.write_text("".join(f"{name}={value}\n" for name, value in merged.items()))

    def _format(self) -> None:
        command = self._command(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._cluster_id}",
            "-c",
            str(self._config),
            *self._format_options,
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnavailableError(f"Kafka could not format its data: {(done.stdout + done.stderr)[-600:]}")

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        options = (f"-Xmx{self._heap}", *self._java_options, "-Dlog4j2.level=WARN", "-cp", self._classpath)
        return [java(), *options, main_class, *arguments]

    def _answers(self) -> bool:
        """The socket opens before the broker is up, but a request is held back until it is."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(_API_VERSIONS_REQUEST)
                return bool(connection.recv(1))
        except OSError:
            return False


class Brokers:
    """A cluster of ``count`` nodes, each broker and controller. With three, what must survive one is on two."""

    def __init__(
        self,
        directory: Path,
        count: int = 1,
        *,
        settings: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
    ) -> None:
        voters = {node: f"127.0.0.1:{free_port()}" for node in range(1, count + 1)}
        cluster_id = new_cluster_id()
        ours = {
            "offsets.topic.replication.factor": str(count),
            "transaction.state.log.replication.factor": str(count),
            "transaction.state.log.min.isr": str(min(count, 2)),
        }
        heap = "768m" if count == 1 else "320m"
        self.nodes = [
            Broker(
                directory / str(node),
                settings=ours | dict(settings or {}),
                heap=heap,
                node=node,
                voters=voters,
                cluster_id=cluster_id,
                java_options=java_options,
            )
            for node in voters
        ]

    def __enter__(self) -> Self:
        with ExitStack() as failing:
            failing.push(self)  # if one does not start, none is left behind
            for node in self.nodes:
                node.spawn()
            for node in self.nodes:
                node.wait_until_up()
            failing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.kill()

    @property
    def address(self) -> str:
        """HOST:PORT of each, separated by commas."""
        return ",".join(node.address for node in self.nodes)


def new_cluster_id() -> str:
    """As Kafka's own tool makes it."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def main() -> None:
    """Run one until it is interrupted."""
    with Broker(Path(sys.argv[1])) as broker:
        sys.stdout.write(f"{broker.address}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
