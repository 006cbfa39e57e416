"""The whole embedded job: ``masir process`` on the file, in a process of its own, with its data in an empty
directory.

``python -m bench.masir_job FILE``. ``seconds`` and ``cpu_seconds`` are what the command itself reports, from the first
hit to the last row stored, as of the other jobs; ``max_rss`` is that of its whole process, start and end included.
"""

import resource
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bench.jars import UnavailableError
from bench.process import Measure, emit, rss_bytes

_MASIR = "from pipeline.cli import main; main()"


class Summary(msgspec.Struct):
    """What is read of ``masir process --json``."""

    received: int
    seconds: float
    cpu_seconds: float


def run(path: Path) -> Measure:
    """Process the file; what it prints on standard error is passed on."""
    if find_spec("pipeline.cli.process") is None:
        raise UnavailableError("this version of Masir has no `masir process`")
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-c", _MASIR, "process", str(path), "--data", data, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"`masir process` ended with {done.returncode}")
    summary = msgspec.json.decode(done.stdout, type=Summary)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measure(summary.received, summary.seconds, summary.cpu_seconds, rss_bytes(used.ru_maxrss))


if __name__ == "__main__":
    try:
        emit(run(Path(sys.argv[1])))
    except UnavailableError as error:
        sys.exit(str(error))
