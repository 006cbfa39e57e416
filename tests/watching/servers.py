"""Real Prometheus and Alertmanager with the files of deploy/, and somebody who listens.

So that a test need not wait for hours, time is divided: every duration in the rules and in Alertmanager's file
(``for``, ranges, offsets, waits) is 60 times shorter, or as the test says, and Prometheus looks twice a second.
Thresholds stay as they are, and so do the windows of the metrics themselves (labels).
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from bench.running import wait_for
from watching.listener import Listener
from watching.tools import DEPLOY, RULES, SPARING, tool

FASTER = 60
EVERY = "500ms"
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(
    r"(?P<before>\[|:|offset |for: |(?:wait|interval|timeout): )(?P<number>\d+)(?P<unit>[smhdw])\b"
)


def shortened(text: str, faster: int = FASTER) -> str:
    """Every duration of rules or of Alertmanager's file divided; label values stay."""

    def divide(found: re.Match[str]) -> str:
        ms = int(found["number"]) * _UNITS_MS[found["unit"]] // faster
        return f"{found['before']}{ms}ms"

    return _DURATION.sub(divide, text)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(name: str, *arguments: str | Path, log: Path) -> Iterator[None]:
    """A server as a process, ended with the block."""
    with log.open("wb") as said:
        command = [tool(name), *map(str, arguments)]
        process = subprocess.Popen(command, env=os.environ | SPARING, stdout=said, stderr=said)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    """Does somebody answer there with 200?"""
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Prometheus:
    """A running server. ``url``: its API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The instant vector of a query; what is wrong with the query is raised."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': query})}", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def alerts(self) -> dict[str, list[dict[str, str]]]:
        """Alerts that are pending or fire: name -> labels of each, with ``state``."""
        with urlopen(f"{self.url}/api/v1/alerts", timeout=30) as answer:
            found = json.load(answer)["data"]["alerts"]
        names: dict[str, list[dict[str, str]]] = {}
        for alert in found:
            names.setdefault(alert["labels"]["alertname"], []).append(
                alert["labels"] | {"state": alert["state"]}
            )
        return names


@contextmanager
def prometheus(
    directory: Path, targets: Sequence[str], alertmanager: str = "", faster: int = FASTER
) -> Iterator[Prometheus]:
    """Prometheus with our configuration and our rules, both faster."""
    (directory / "rules").mkdir(parents=True)
    for path in RULES:
        rules = re.sub(r"interval: \w+", f"interval: {EVERY}", path.read_text())
        (directory / "rules" / path.name).write_text(shortened(rules, faster))
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = list(targets)
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = (
        [alertmanager] if alertmanager else []
    )
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={address}",
        "--rules.alert.for-grace-period=0s", "--rules.alert.resend-delay=1s",
    )  # fmt: skip
    with running("prometheus", *options, log=directory / "prometheus.log"):
        wait_for(lambda: answers(f"http://{address}/-/ready"), "Prometheus is ready", seconds=60)
        yield Prometheus(f"http://{address}")


class Inbox(Listener):
    """What Alertmanager has told: notices in their order, each with the receiver's name as path."""

    def __init__(self) -> None:
        super().__init__()
        self.notices: list[dict[str, Any]] = []

    def take(self, request: BaseHTTPRequestHandler, body: bytes) -> int:
        self.notices.append(json.loads(body) | {"path": request.path})
        return 200

    def find(self, name: str, status: str, **labels: str) -> dict[str, Any] | None:
        """The alert of that name, status and labels, if it was told."""
        for notice in list(self.notices):
            for alert in notice["alerts"]:
                known = alert["labels"]
                is_it = known["alertname"] == name and alert["status"] == status
                if is_it and all(known.get(label) == value for label, value in labels.items()):
                    return {**alert, "path": notice["path"]}
        return None

    def wait_for(self, name: str, status: str, *, seconds: float = 90, **labels: str) -> dict[str, Any]:
        """The same, as soon as it is told."""
        found: dict[str, Any] = wait_for(
            lambda: self.find(name, status, **labels), f"{name} {labels} {status}", seconds=seconds
        )
        return found


@contextmanager
def alertmanager(directory: Path) -> Iterator[tuple[str, Inbox]]:
    """Alertmanager with our configuration, faster, and the inbox it tells: (its address, the inbox)."""
    directory.mkdir(parents=True)
    inbox = Inbox()
    text = shortened((DEPLOY / "alertmanager/alertmanager.yml").read_text())
    text = text.replace("127.0.0.1:9095", f"127.0.0.1:{inbox.port}")
    text = text.replace("templates/*", str(DEPLOY / "alertmanager/templates/*"))
    file = directory / "alertmanager.yml"
    file.write_text(text)
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={file}", f"--storage.path={directory / 'data'}", f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )  # fmt: skip
    with (
        inbox.listening(),
        running("prometheus-alertmanager", *options, log=directory / "alertmanager.log"),
    ):
        wait_for(lambda: answers(f"http://{address}/-/ready"), "Alertmanager is ready", seconds=60)
        yield address, inbox
