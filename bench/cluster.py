"""The distributed form on one machine: ``masir collect`` and several ``masir worker`` as processes of their own.

One worker holds the store, as only one process can hold a data directory; the others run the hops before it, as many as
wanted, and any of them may be killed, stopped, frozen. With the store on a server (``clickhouse``) each runs all hops.
What a process prints goes to a file beside the data directory. Every wait has a deadline and raises ``LateError``.
Needs an installed ``masir`` beside the running Python.
"""

import asyncio
import re
import signal
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from bench import running
from bench.running import PATIENCE_SECONDS, Asked, LateError, command, environment, wait_for
from pipeline.cli.worker import HOPS as ALL_HOPS
from pipeline.store.client import connect, rows
from pipeline.transport.kafka.names import SINK, Names
from pipeline.transport.kafka.offsets import committed_by
from schemas import topics

HOPS = ",".join(hop for hop in ALL_HOPS if hop != SINK)
READ_MS = 200
STEPS = (  # hop after hop
    frozenset({topics.HITS.name}),
    # They write to each other.
    *(frozenset({topics.EVIDENCE.name, topics.TOUCHPOINTS.name}) for _ in range(3)),
    frozenset({topics.FACTS.name}),
    frozenset(topic.name for topic in topics.TOPICS if "store" in topic.readers),
)
_URL = re.compile(r"http://(\S+?)/(?:v1/hits|metrics)")


class Process:
    """One role: started, killed, frozen, started again."""

    def __init__(self, said: Path, settings: dict[str, object], *arguments: str) -> None:
        self.said_path = said
        self.url = ""
        self._settings = settings
        self._arguments = arguments
        self._process: running.Process | None = None

    def spawn(self) -> None:
        """Start it and do not wait."""
        self.url = ""
        with self.said_path.open("ab") as said:
            self._start = said.tell()
            arguments = [*self._arguments, "--listen", "127.0.0.1:0"]
            self._process = running.start(arguments, environment(self._settings), stdout=said, stderr=said)

    def wait_until_started(self) -> None:
        """Until it has said where it listens."""
        try:
            self.url = wait_for(self._address, f"masir {' '.join(self._arguments)} starts")
        except LateError as error:
            raise LateError(f"{error}: {self.said}") from None

    def _address(self) -> str:
        said = self.said
        if self.process.poll() is not None:
            raise LateError(f"masir {self._arguments[0]} ended with {self.process.returncode}: {said}")
        found = _URL.search(said)
        return f"http://{found[1]}" if found else ""

    @property
    def said(self) -> str:
        """What it has printed since its last start."""
        return self.said_path.read_bytes()[self._start :].decode(errors="replace")

    @property
    def process(self) -> running.Process:
        """The running process."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def is_running(self) -> bool:
        """Started, and not ended in whatever way."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``, also of one that is frozen."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self.process
        process.send_signal(number)
        code = process.wait(PATIENCE_SECONDS)
        self._process, self.url = None, ""
        return code


class Cluster(Asked):
    """``broker``: HOST:PORT. Topics of its own; ``settings`` as for ``masir``."""

    def __init__(self, data: Path, broker: str, *, workers: int = 2, **settings: object) -> None:
        self.data = data
        self.broker = broker
        self.prefix = f"t{uuid.uuid4().hex[:12]}"
        self.settings: dict[str, object] = {
            "broker": f"kafka://{broker}",
            "broker_prefix": self.prefix,
            "broker_replication": 1,
            "worker_lost_seconds": 6,
            "data": data,
            **settings,
        }
        said = data.with_name(f"{data.name}.log")
        self.collector = Process(said.with_suffix(".collect.log"), self.settings, "collect")
        self.store = Process(said.with_suffix(".store.log"), self.settings, "worker", "--hops", "store")
        hops = () if "clickhouse" in settings else ("--hops", HOPS)
        self.workers = [
            Process(said.with_suffix(f".{n}.log"), self.settings, "worker", *hops) for n in range(workers)
        ]

    def __enter__(self) -> "Cluster":
        done = command("topics", "--create", settings=self.settings)
        if done.returncode:
            raise LateError((done.stdout + done.stderr).decode(errors="replace"))
        with ExitStack() as failing:
            failing.push(self)  # if one does not start, none is left behind
            for process in self.processes:
                process.spawn()
            for process in self.processes:
                process.wait_until_started()
            failing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.is_running:
                process.kill()

    @property
    def processes(self) -> list[Process]:
        """All of them."""
        return [self.collector, *(() if "clickhouse" in self.settings else (self.store,)), *self.workers]

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask the store: on its server, or through the process that holds it."""
        if "clickhouse" not in self.settings:
            return super().query(sql)
        with connect(str(self.settings["clickhouse"])) as client:
            return rows(client, sql)

    @property
    def url(self) -> str:
        """Where hits go."""
        return self.collector.url

    @property
    def said(self) -> str:
        """The last of what each has printed."""
        return "\n".join(process.said[-2_000:] for process in self.processes)

    def wait_until_drained(self) -> None:
        """Until what the topics hold now has been consumed, hop after hop: the clock goes on, and more always comes."""
        for step in STEPS:
            ends = asyncio.run(_ends(self.broker, Names(self.prefix), step))
            wait_for(lambda ends=ends: not self.unread(ends), f"{sorted(step)} are consumed")

    def unread(self, ends: Mapping[TopicPartition, int]) -> list[TopicPartition]:
        """Partitions with records before these offsets that the workers have not committed."""
        return asyncio.run(unread_of(self.broker, Names(self.prefix), ends))


async def _ends(broker: str, names: Names, topics: frozenset[str]) -> dict[TopicPartition, int]:
    """With what is written and not committed: a commit shows in the ends of what is committed a little later only."""
    ours = [names.topic(topic) for topic in topics]
    async with _clients(broker, isolation_level="read_uncommitted") as (admin, consumer):
        partitions = [
            TopicPartition(topic["topic"], one["partition"])
            for topic in await admin.describe_topics(ours)
            for one in topic["partitions"]
        ]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends


async def unread_of(broker: str, names: Names, ends: Mapping[TopicPartition, int]) -> list[TopicPartition]:
    """Transactions' markers and what was aborted are offsets, too, and nobody commits them: so it is read on."""
    async with _clients(broker) as (admin, consumer), asyncio.timeout(PATIENCE_SECONDS):
        committed = await committed_by(admin, names.group, list(ends))
        behind = {tp: max(0, committed[tp]) for tp, end in ends.items() if committed[tp] < end}
        consumer.assign(list(behind))
        for tp, offset in behind.items():
            consumer.seek(tp, offset)
        unread: list[TopicPartition] = []
        while behind and not unread:
            for tp, records in (await consumer.getmany(timeout_ms=READ_MS)).items():
                unread += [tp] if records[0].offset < ends[tp] else []
            behind = {tp: offset for tp, offset in behind.items() if await consumer.position(tp) < ends[tp]}
        return unread


@asynccontextmanager
async def _clients(broker: str, isolation_level: str = "read_committed") -> AsyncIterator[tuple[Any, Any]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, isolation_level=isolation_level, auto_offset_reset="earliest"
    )
    await admin.start()
    await consumer.start()
    try:
        yield admin, consumer
    finally:
        await consumer.stop()
        await admin.close()
