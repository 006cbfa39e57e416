"""Java programs the benchmark compares with: fetched once by Maven into a cache directory, never into the
repository.

A :class:`JarSet` names what to fetch; :func:`fetch` gives the directory that holds it, complete or not at
all.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_LOG4J = "2.24.3"


class UnavailableError(Exception):
    """Something a peer needs is not on this machine; the message says what. The other rows are still
    measured.
    """


class JarSet(NamedTuple):
    """``artifacts`` are fetched with what they depend on, ``alone`` without. Each is
    group:artifact:version.
    """

    name: str
    artifacts: tuple[str, ...]
    alone: tuple[str, ...] = ()


_LOGGING = tuple(
    f"org.apache.logging.log4j:{name}:{_LOG4J}" for name in ("log4j-api", "log4j-core", "log4j-slf4j-impl")
)

KAFKA = JarSet("kafka-4.1.0", ("org.apache.kafka:kafka_2.13:4.1.0", *_LOGGING))

FLINK = JarSet(
    "flink-2.3.0",
    (
        *(
            f"org.apache.flink:{name}:2.3.0"
            for name in (
                "flink-clients",
                "flink-connector-files",
                "flink-json",
                "flink-sql-client",
                "flink-sql-gateway",
                "flink-statebackend-rocksdb",
                "flink-table-api-java-bridge",
                "flink-table-planner-loader",
                "flink-table-runtime",
            )
        ),
        *_LOGGING,
    ),
    # The SQL client looks up one of its classes; what that jar depends on is only for Python functions.
    alone=("org.apache.flink:flink-python:2.3.0",),
)


FLINK_KAFKA = JarSet(  # the newest there is; its jar has all it needs
    "flink-kafka-5.0.0-2.2", (), alone=("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",)
)


def cache_dir() -> Path:
    """Where downloads and input files are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "masir-bench"


def java() -> str:
    """The Java launcher of this machine."""
    found = shutil.which("java")
    if found is None:
        raise UnavailableError("java is not installed (Debian: apt-get install default-jre-headless)")
    return found


def fetch(jar_set: JarSet, cache: Path | None = None) -> Path:
    """The directory of the jars; downloads them if they are not there yet."""
    cache = cache or cache_dir()
    target = cache / jar_set.name
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("mvn is not installed (Debian: apt-get install maven)")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(pom_text(jar_set))
        jars = Path(scratch) / "jars"
        command = [maven, "-q", "-B", "-f", str(pom), _PLUGIN, f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not any(jars.glob("*.jar")):
            raise UnavailableError(
                f"Maven could not fetch {jar_set.name}: {(done.stdout + done.stderr)[-600:]}"
            )
        jars.rename(target)
    return target


def pom_text(jar_set: JarSet) -> str:
    """The Maven project that depends on the jars of the set."""
    nothing_else = (
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    )
    dependencies = "".join(_dependency(artifact, "") for artifact in jar_set.artifacts)
    dependencies += "".join(_dependency(artifact, nothing_else) for artifact in jar_set.alone)
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>masir</groupId><artifactId>bench</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )


def _dependency(artifact: str, extra: str) -> str:
    group, name, version = artifact.split(":")
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version>{extra}</dependency>"
    )
