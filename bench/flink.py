"""Flink SQL over the same file or Kafka topic: copying the hits to nothing, and session windows of 30 minutes.

One JVM per job, kept to one core, parallelism 1, no checkpoints (they would only slow it down). The job runs
twice in its JVM: the first run pays for the just-in-time compiler, the second is the steady state. Seconds
are those of the job itself, from its log (RUNNING to FINISHED): starting the JVM and planning the query are
left out.
"""

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from bench.jars import FLINK, FLINK_KAFKA, JarSet, UnavailableError, fetch, java
from bench.process import Measure, cores, pinned

_COLUMNS = (
    "site STRING, event STRING, visitor_id STRING, hit_id STRING, `time` BIGINT, url STRING, "
    "referrer STRING, title STRING, user_agent STRING, `language` STRING"
)
_ALL = "site, event, visitor_id, hit_id, `time`, url, referrer, title, user_agent, `language`"
_COUNTS = "COUNT(*), COUNT(*) FILTER (WHERE event = 'page_view'), MIN(`time`), MAX(`time`)"
# Flink cannot merge FIRST_VALUE of two windows: the entry page is the least (time, url), as is usual.
_DETAILS = (
    "MIN(CONCAT(CAST(`time` AS STRING), url)), MAX(CONCAT(CAST(`time` AS STRING), url)), "
    "MIN(CONCAT(CAST(`time` AS STRING), referrer)), MIN(user_agent), MIN(`language`)"
)
_COUNT_COLUMNS = (
    "site STRING, visitor_id STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), hits BIGINT, "
    "page_views BIGINT, start_time BIGINT, end_time BIGINT"
)
_DETAIL_COLUMNS = (
    f"{_COUNT_COLUMNS}, entry_url STRING, exit_url STRING, first_referrer STRING, "
    "user_agent STRING, `language` STRING"
)


class Job(NamedTuple):
    """``select`` reads ``hits`` and fills a table of ``columns`` that keeps nothing."""

    columns: str
    select: str
    state: str = "hashmap"


class Source(NamedTuple):
    """Where ``hits`` are read, as options of Flink's table, to the end of what is there when the job starts."""

    options: dict[str, str]
    jars: tuple[JarSet, ...] = (FLINK,)


def file(path: Path) -> Source:
    """The file of the other jobs."""
    return Source({"connector": "filesystem", "path": path.resolve().as_uri()})


def topic(address: str, name: str) -> Source:
    """The topic of the other jobs; watermarks are those of its partitions."""
    options = {
        "connector": "kafka",
        "properties.bootstrap.servers": address,
        "topic": name,
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
    }
    return Source(options, (FLINK, FLINK_KAFKA))


def _session_windows(aggregates: str) -> str:
    return (
        f"SELECT site, visitor_id, window_start, window_end, {aggregates} FROM SESSION(TABLE hits "
        "PARTITION BY (site, visitor_id), DESCRIPTOR(event_time), INTERVAL '30' MINUTES) "
        "GROUP BY site, visitor_id, window_start, window_end"
    )


JOBS = {
    "copy": Job(_COLUMNS, f"SELECT {_ALL} FROM hits"),
    "counts": Job(_COUNT_COLUMNS, _session_windows(_COUNTS)),
    "sessions": Job(_DETAIL_COLUMNS, _session_windows(f"{_COUNTS}, {_DETAILS}")),
    "sessions_rocksdb": Job(_DETAIL_COLUMNS, _session_windows(f"{_COUNTS}, {_DETAILS}"), "rocksdb"),
}

_CONFIG = """\
execution.target: local
execution.runtime-mode: streaming
parallelism.default: 1
table.dml-sync: true
state.backend.type: {state}
io.tmp.dirs: {scratch}
"""
_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{UNIX_MILLIS} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.job.name = org.apache.flink.runtime.executiongraph.ExecutionGraph
logger.job.level = info
"""
_OPENS = tuple(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "net", "time", "util"))
_STEP = re.compile(r"^(\d+) Job \S+ \(\w+\) switched from state (\w+) to (\w+)")


def measure(job: Job, source: Source, hits: int, timeout_s: float = 300) -> tuple[Measure, Measure]:
    """The job's first run over the source, and its second in the same JVM."""
    jars = ":".join(f"{fetch(one)}/*" for one in source.jars)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "config.yaml").write_text(_CONFIG.format(state=job.state, scratch=scratch))
        (directory / "log4j2.properties").write_text(_LOGGING)
        (directory / "job.sql").write_text(statements(job, source))
        command = [
            java(),
            "-Xmx3g",
            *_OPENS,
            f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}",
            "-cp",
            jars,
            "org.apache.flink.table.client.SqlClient",
            "embedded",
            "-f",
            str(directory / "job.sql"),
        ]
        with subprocess.Popen(
            pinned(command, cores()[0]),
            env=os.environ | {"FLINK_CONF_DIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            alarm = threading.Timer(timeout_s, process.kill)
            alarm.start()
            said: list[str] = []
            runs = [Measure(hits, *spans) for spans in job_runs(process.stdout, process.pid, said)]
            alarm.cancel()
    if process.returncode != 0 or len(runs) != 2:
        raise UnavailableError(f"Flink ended with {process.returncode}: {''.join(said)[-600:]}")
    return runs[0], runs[1]


def statements(job: Job, source: Source) -> str:
    """The SQL script: the job, twice."""
    options = ", ".join(f"'{name}' = '{value}'" for name, value in source.options.items())
    insert = f"INSERT INTO nothing {job.select};\n"
    return (
        f"CREATE TEMPORARY TABLE hits ({_COLUMNS}, event_time AS TO_TIMESTAMP_LTZ(`time`, 3), "
        "WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND) "
        f"WITH ({options}, 'format' = 'json');\n"
        f"CREATE TEMPORARY TABLE nothing ({job.columns}) WITH ('connector' = 'blackhole');\n"
        f"{insert}{insert}"
    )


def job_runs(output: IO[str], pid: int, said: list[str]) -> Iterator[tuple[float, float]]:
    """Wall and CPU seconds of each job that the log shows from RUNNING to FINISHED; every line goes to
    ``said``.
    """
    began_ms, began_cpu = 0, 0.0
    for line in output:
        said.append(line)
        step = _STEP.match(line)
        if step and step[3] == "RUNNING":
            began_ms, began_cpu = int(step[1]), cpu_seconds(pid)
        elif step and step[3] == "FINISHED":
            yield (int(step[1]) - began_ms) / 1000, cpu_seconds(pid) - began_cpu


def cpu_seconds(pid: int) -> float:
    """CPU time of a running process so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
