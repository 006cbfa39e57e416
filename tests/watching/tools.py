"""Prometheus, Alertmanager and their tools, from Debian's packages ``prometheus`` and ``prometheus-alertmanager``."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.parts import missing

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
SPARING = {
    "GOGC": "off",
    "GOMEMLIMIT": "600MiB",
}  # a fifth of the time would go into collecting garbage that fits


def tool(name: str) -> str:
    """The program's path. Not there: a failure in CI, else the test is skipped."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed: apt-get install prometheus prometheus-alertmanager")
    return found


def run(name: str, *arguments: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a tool to its end, however it ends."""
    return subprocess.run(
        [tool(name), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | SPARING,
        check=False,
    )


def said_well(name: str, *arguments: str | Path, stdin: str = "") -> str:
    """What a tool says that must end well."""
    done = run(name, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule of ours."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]
