import os
import shutil
import socket
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import jars, kafka
from bench.jars import JarSet, UnavailableError, fetch, pom_text
from bench.kafka import SHORT_LIVED, Broker

SET = JarSet("peer-1", ("org.peer:core:1.0",), alone=("org.peer:extra:2.0",))


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_only_jars_named_alone_come_without_their_dependencies() -> None:
    dependencies = ElementTree.fromstring(pom_text(SET)).findall("dependencies/dependency")
    assert [(d.findtext("artifactId"), d.find("exclusions") is not None) for d in dependencies] == [
        ("core", False),
        ("extra", True),
    ]


def test_jars_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program(
        tmp_path / "mvn",
        "for word; do case $word in -DoutputDirectory=*) jars=${word#*=};; esac; done\n"
        'mkdir "$jars" && touch "$jars/a.jar"',
    )
    cache = tmp_path / "cache"
    target = fetch(SET, cache)
    program(tmp_path / "mvn", "exit 1")
    assert fetch(SET, cache) == target
    assert [path.name for path in target.iterdir()] == ["a.jar"]


def test_a_failed_download_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program(tmp_path / "mvn", "echo no such artifact; exit 1")
    cache = tmp_path / "cache"
    with pytest.raises(UnavailableError, match="no such artifact"):
        fetch(SET, cache)
    assert list(cache.iterdir()) == []


def test_missing_java_and_maven_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="mvn is not installed"):
        fetch(SET, tmp_path)
    with pytest.raises(UnavailableError, match="java is not installed"):
        jars.java()


def test_a_broker_that_ends_at_once_is_reported_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "java"
    program(fake, "case $* in *StorageTool*) exit 0;; *) echo port is taken; exit 1;; esac")
    monkeypatch.setattr(kafka, "java", lambda: str(fake))
    monkeypatch.setattr(kafka, "fetch", lambda jar_set: tmp_path)
    broker = Broker(tmp_path / "kafka", settings={"num.partitions": "3"})
    with pytest.raises(UnavailableError, match="port is taken"):
        broker.start()
    assert "num.partitions=3\n" in (tmp_path / "kafka" / "server.properties").read_text()


@pytest.mark.skipif(
    not (shutil.which("java") and (jars.cache_dir() / jars.KAFKA.name).is_dir()),
    reason="Kafka was not fetched on this machine: `python -m bench --only kafka` does",
)
@pytest.mark.slow
def test_a_real_broker_answers_also_after_a_kill(tmp_path: Path) -> None:
    with Broker(tmp_path, java_options=SHORT_LIVED) as broker:
        broker.kill()
        broker.start()
        with socket.create_connection(("127.0.0.1", broker.port), timeout=5):
            assert (tmp_path / "data" / "meta.properties").exists()
